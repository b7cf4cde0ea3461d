"""The shape of an exclusion, a document of our own beside the OpenSLO ones.

::

    apiVersion: fleetslo/v1
    kind: Exclusion
    metadata: {name: database-patching, displayName: Patching of the database}
    spec:
      reason: Agreed with support; buyers see a maintenance page.
      for: squad = payments              # or services: [checkout, "ads-*"]; without both, all
      objectives: ["*-availability"]     # without it, all
      starts: 2026-01-04 02:00:00        # local time of timeZone, or an instant with its zone
      lasts: 2h                          # elapsed time; or ends, like starts
      repeats: FREQ=MONTHLY;BYDAY=1SU    # iCalendar RRULE; without it, once
      except: [2026-05-03]               # local dates on which it does not happen
      timeZone: Europe/Stockholm         # without it, UTC
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.openslo.conditions import parse_condition
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.recurrence import check_start, moment, parse_recurrence
from fleetslo.reliability.openslo.rules import (
    Check,
    duration,
    exactly_one,
    fields,
    items,
    length,
    name,
    one_of,
    text,
    zone,
)

API_VERSION = "fleetslo/v1"
KIND = "Exclusion"


def _parsed(parse: Any) -> Check:
    """Return a check for text that ``parse`` can read; what it says of others is the rule."""

    def check(doc: Document, trail: Trail, value: Any) -> None:
        before = len(doc.faults)
        text()(doc, trail, value)
        if len(doc.faults) > before:
            return
        try:
            parse(value)
        except ObjectiveError as error:
            doc.fault(trail, str(error))

    return check


def _time(doc: Document, trail: Trail, value: Any) -> None:
    """Check a date with a time, with or without a zone; YAML has read an unquoted one already."""
    rule = "it must be a date and time in whole seconds; write 2026-01-04 02:00:00"
    try:
        if _day_only(value):
            doc.fault(trail, f"{rule}: the time is missing")
        elif _read_time(value).microsecond:
            doc.fault(trail, rule)
    except (TypeError, ValueError):
        doc.fault(trail, rule)


def _day_only(value: Any) -> bool:
    if isinstance(value, str):
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True
    return isinstance(value, date) and not isinstance(value, datetime)


def _day(doc: Document, trail: Trail, value: Any) -> None:
    if not _day_only(value):
        doc.fault(trail, "it must be a date; write 2026-05-03")


def _read_time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def day(value: str | date) -> date:
    """Return the date that an item of ``except`` names."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def local_start(spec: dict[str, Any]) -> datetime:
    """Return the local time, without a zone, at which a sound exclusion first happens."""
    return _local(spec, "starts")


def elapsed(spec: dict[str, Any]) -> timedelta:
    """Return how long an exclusion takes, which ``lasts`` says, or ``ends`` less ``starts``."""
    if "lasts" in spec:
        return length(spec["lasts"])
    zone = _zone(spec)
    return moment(_local(spec, "ends"), zone) - moment(_local(spec, "starts"), zone)


def _zone(spec: dict[str, Any]) -> ZoneInfo:
    return ZoneInfo(spec.get("timeZone", "UTC"))


def _local(spec: dict[str, Any], key: str) -> datetime:
    written = _read_time(spec[key])
    if written.tzinfo is None:
        return written
    return written.astimezone(_zone(spec)).replace(tzinfo=None)


_PATTERNS = items(text(), least=1)
_SHAPE = fields(
    {
        "apiVersion": one_of(API_VERSION),
        "kind": one_of(KIND),
        "metadata": fields({"name": name}, {"displayName": text()}),
        "spec": fields(
            {"reason": text(), "starts": _time},
            {
                "lasts": duration,
                "ends": _time,
                "for": _parsed(parse_condition),
                "services": _PATTERNS,
                "objectives": _PATTERNS,
                "repeats": _parsed(parse_recurrence),
                "except": items(_day, least=1),
                "timeZone": zone,
            },
        ),
    }
)


def check_exclusion(doc: Document) -> None:
    """Note in the document every way in which it is not a sound exclusion."""
    before = len(doc.faults)
    _SHAPE(doc, (), doc.value)
    spec = doc.value.get("spec") if isinstance(doc.value, dict) else None
    if not isinstance(spec, dict):
        return
    exactly_one(doc, ("spec",), spec, "lasts", "ends")
    if "for" in spec and "services" in spec:
        doc.fault(("spec", "services"), "it cannot stand beside for; keep one of them")
    if "except" in spec and "repeats" not in spec:
        doc.fault(("spec", "repeats"), "it is required beside except")
    if len(doc.faults) > before:
        return
    if elapsed(spec) <= timedelta(0):
        doc.fault(("spec", "ends"), "it must be after starts")
    if "repeats" in spec:
        _check_occurrences(doc, spec)


def _check_occurrences(doc: Document, spec: dict[str, Any]) -> None:
    """Hold ``starts`` and each date of ``except`` to the rule: a slip there would go unseen."""
    recurrence, zone = parse_recurrence(spec["repeats"]), _zone(spec)
    starts = local_start(spec)
    try:
        check_start(recurrence, starts, zone)
    except ObjectiveError as error:
        doc.fault(("spec", "starts"), str(error))
        return
    left_out = [day(item) for item in spec.get("except", ())]
    if not left_out:
        return
    last = datetime.combine(max(left_out) + timedelta(days=1), starts.time())
    happens = {local.date() for local, _ in recurrence.times(starts, zone, moment(last, zone))}
    for i, item in enumerate(left_out):
        if item not in happens:
            doc.fault(("spec", "except", i), "it does not happen on that date anyway")
