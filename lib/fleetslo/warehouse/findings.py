"""What a check says of stored data, in the same words for every warehouse."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fleetslo.warehouse.base import Finding
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.gaps import Gap
from fleetslo.warehouse.rules import Check

_SHOWN = 60
"""Characters that are shown of a value."""


def shown(value: Any) -> str:
    """Return a value of a row as text: an instant in UTC, ``null`` for none, cut where long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    return str(value)[:_SHOWN]


def row_text(row: Mapping[str, Any]) -> str:
    """Return a row, or some columns of it, as ``name=value name=value``."""
    return " ".join(f"{name}={shown(value)}" for name, value in row.items())


def named(contract: Contract, rule: Check) -> tuple[str, ...]:
    """Return the columns that show a row which breaks a rule: its grain, and those of the rule."""
    words = [n for n in contract.by_name if re.search(rf"\b{n}\b", rule.expression)]
    return tuple(dict.fromkeys((*contract.grain, *words)))


def broken(contract: Contract, rule: Check, count: int, row: Mapping[str, Any]) -> Finding:
    """Return the finding of rows that break a rule; ``row`` is the first of them by its grain."""
    says = f"{count:,} rows break: {rule.expression}"
    return Finding(contract.table, rule.name, rule.severity, count, says, row_text(row))


def repeated(contract: Contract, count: int, row: Mapping[str, Any]) -> Finding:
    """Return the finding of rows whose grain other rows have; ``row`` is the first such grain."""
    says = f"{count:,} rows repeat the grain {', '.join(contract.grain)}"
    return Finding(contract.table, "unique grain", "fail", count, says, row_text(row))


def owns_stretches(contract: Contract) -> bool:
    """Return whether the rows of a table are stretches of time that may not overlap."""
    return {"valid_from", "valid_to"} <= contract.by_name.keys()


def overlapping(contract: Contract, count: int, row: Mapping[str, Any]) -> Finding:
    """Return the finding of stretches that reach into the next one: two squads own a service."""
    says = f"{count:,} stretches overlap the next one"
    return Finding(contract.table, "stretches do not overlap", "fail", count, says, row_text(row))


def stale(contract: Contract, last: datetime | None, as_of: datetime) -> list[Finding]:
    """Return the finding of a newest row that is older than the contract lets it be, if it is."""
    late_after, step = contract.late_after, contract.step
    if late_after is None or step is None or last is None:
        return []
    late = as_of.astimezone(UTC) - (last + step)
    if late <= late_after:
        return []
    old_h, most_h = (length.total_seconds() / 3600 for length in (late, late_after))
    says = f"the newest row is {old_h:,.1f} h old; it may be {most_h:g} h"
    example = f"{contract.partition}={last:%Y-%m-%dT%H:%MZ}"
    return [Finding(contract.table, "fresh", "warn", 1, says, example)]


def has_every_minute(contract: Contract) -> bool:
    """Return whether a table gets rows every minute, not only when something happens."""
    return (
        contract.partition == "minute" and not contract.derived and contract.late_after is not None
    )


def missing(contract: Contract, found: Iterable[Gap]) -> list[Finding]:
    """Return the findings of minutes that are missing."""
    return [
        Finding(contract.table, gap.name, "warn", gap.missing, gap.says, gap.example)
        for gap in found
    ]


def late_rollups(pending: Mapping[str, int]) -> list[Finding]:
    """Return the findings of days whose sums are behind their source."""
    says = "days whose source changed since the last rollup; run 'fleetslo warehouse rollup'"
    return [
        Finding(table, "rolled up", "warn", days, says, f"{days} days")
        for table, days in pending.items()
    ]


def failures_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with those that fail before those that warn."""
    return sorted(findings, key=lambda finding: finding.severity != "fail")
