"""Which version of an objective holds: one that changes is judged from its change on.

Versions are documents of one name whose annotation ``fleetslo/since`` differs; see SLO.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fleetslo.reliability.slo import Objective

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Version:
    """An objective and how long it holds: from ``since`` up to ``until``; None is without end."""

    objective: Objective
    since: datetime | None
    until: datetime | None

    def holds_before(self, at: datetime) -> bool:
        """Return whether it holds just before an instant."""
        return (self.since or _EVER) < at and (self.until is None or at <= self.until)


def versions(objectives: Iterable[Objective]) -> list[Version]:
    """Return every objective with the time for which it holds, in the order given."""
    written = list(objectives)
    changes: dict[tuple[str, str], set[datetime]] = {}
    for one in written:
        changes.setdefault((one.service, one.document), set()).add(one.since or _EVER)
    found = []
    for one in written:
        later = [at for at in changes[one.service, one.document] if at > (one.since or _EVER)]
        found.append(Version(one, one.since, min(later, default=None)))
    return found
