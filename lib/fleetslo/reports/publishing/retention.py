"""Which releases may go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Kept:
    """A release that is kept, and since when."""

    name: str
    made_at: datetime


def expired(
    releases: Sequence[Kept],
    shown: set[str],
    *,
    keep: int,
    older_than: timedelta | None = None,
    now: datetime,
    grace: timedelta = timedelta(),
) -> list[str]:
    """Return the names of the releases that may go, oldest first.

    Those ``shown`` stay, and so do the newest ``keep`` of the others. What is left goes when it is
    older than ``older_than``, if that is given, and was followed by the next one at least ``grace``
    ago, so that whoever has a page of it open can go on reading.
    """
    ordered = sorted(releases, key=lambda one: one.name)
    followed_at = dict(zip(ordered, [one.made_at for one in ordered[1:]], strict=False))
    old = [one for one in ordered if one.name not in shown]
    return [
        one.name
        for one in old[: max(len(old) - keep, 0)]
        if (older_than is None or one.made_at < now - older_than)
        and (not grace or (one in followed_at and followed_at[one] < now - grace))
    ]
