"""Exclusions: what they take out, for whom, and how a wrong one is refused."""

import datetime as dt
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_documents import CHECKOUT, GONE, changed, written

from fleetslo.errors import ObjectiveError
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import (
    Exclusion,
    applies,
    excluded,
    merged,
    read_exclusions,
    without,
)

PATCHING: dict[str, Any] = {
    "apiVersion": "fleetslo/v1",
    "kind": "Exclusion",
    "metadata": {"name": "database-patching", "displayName": "Patching of the database"},
    "spec": {
        "reason": "Agreed with support; buyers see a maintenance page.",
        "for": "squad = payments",
        "objectives": ["*-availability"],
        "starts": datetime(2026, 1, 4, 2),  # noqa: DTZ001 — as YAML reads an unquoted one
        "lasts": "2h",
        "repeats": "FREQ=MONTHLY;BYDAY=1SU",
        "except": [date(2026, 5, 3)],
        "timeZone": "Europe/Stockholm",
    },
}
ONCE = {"spec.repeats": GONE, "spec.except": GONE}
ALL = {"spec.for": GONE, "spec.objectives": GONE}
YEAR = Period.parse("2026-01-01/2027-01-01")


def exclusion(tmp_path, changes: dict[str, Any] | None = None) -> Exclusion:
    [found] = read_exclusions(written(tmp_path, changed(changes or {}, PATCHING)))
    return found


def spans(periods: list[Period]) -> list[str]:
    return [f"{one.start:%m-%d %H:%M}–{one.end:%H:%M}" for one in periods]


def test_a_maintenance_stays_at_two_in_the_morning_all_year(tmp_path):
    """The first Sundays of 2026, without 3 May; 02:00 is 01:00 UTC in winter, 00:00 in summer."""
    found = exclusion(tmp_path)
    assert spans(found.periods(YEAR)) == [
        "01-04 01:00–03:00", "02-01 01:00–03:00", "03-01 01:00–03:00", "04-05 00:00–02:00",
        "06-07 00:00–02:00", "07-05 00:00–02:00", "08-02 00:00–02:00", "09-06 00:00–02:00",
        "10-04 00:00–02:00", "11-01 01:00–03:00", "12-06 01:00–03:00",
    ]  # fmt: skip
    assert (found.label, found.reason) == (
        "Patching of the database",
        "Agreed with support; buyers see a maintenance page.",
    )


def test_how_long_it_lasts_is_elapsed_time(tmp_path):
    """On 29 March the clock skips 02:00 to 03:00: it starts at 03:00 and lasts until 05:00."""
    found = exclusion(
        tmp_path,
        {
            "spec.starts": "2026-03-22 02:00",
            "spec.repeats": "FREQ=WEEKLY;COUNT=2",
            "spec.except": GONE,
        },
    )
    assert spans(found.periods(YEAR)) == ["03-22 01:00–03:00", "03-29 01:00–03:00"]


@pytest.mark.parametrize(
    ("changes", "span"),
    [
        ({}, "01-04 01:00–03:00"),
        ({"spec.timeZone": GONE}, "01-04 02:00–04:00"),
        ({"spec.starts": "2026-01-04T02:00:00Z"}, "01-04 02:00–04:00"),
        ({"spec.starts": datetime(2026, 1, 4, 2, tzinfo=UTC)}, "01-04 02:00–04:00"),
        ({"spec.starts": "2026-01-04 02:00-05:00"}, "01-04 07:00–09:00"),
        ({"spec.lasts": GONE, "spec.ends": "2026-01-04 02:30:00"}, "01-04 01:00–01:30"),
        ({"spec.lasts": GONE, "spec.ends": "2026-01-04T02:30:00Z"}, "01-04 01:00–02:30"),
        # The second 02:30 of 25 October, which only an instant can name.
        ({"spec.starts": "2026-10-25T01:30:00Z"}, "10-25 01:30–03:30"),
        ({"spec.starts": "2026-10-25 02:30:00"}, "10-25 00:30–02:30"),
        # A minute that is partly excluded is excluded.
        ({"spec.starts": "2026-01-04 02:00:30"}, "01-04 01:00–03:01"),
    ],
)
def test_once(tmp_path, changes, span):
    assert spans(exclusion(tmp_path, {**ONCE, **changes}).periods(YEAR)) == [span]


def test_what_began_before_a_period_reaches_into_it(tmp_path):
    found = exclusion(tmp_path)
    cut = Period(datetime(2026, 2, 1, 2, 30, tzinfo=UTC), datetime(2026, 3, 1, 1, 1, tzinfo=UTC))
    assert spans(found.periods(cut)) == ["02-01 02:30–03:00", "03-01 01:00–01:01"]
    assert found.periods(Period.parse("2025-01-01/2025-12-31")) == []


def test_occurrences_that_overlap_are_one_stretch(tmp_path):
    found = exclusion(
        tmp_path, {"spec.repeats": "FREQ=DAILY;COUNT=3", "spec.lasts": "30h", "spec.except": GONE}
    )
    assert found.periods(YEAR) == [
        Period(datetime(2026, 1, 4, 1, tzinfo=UTC), datetime(2026, 1, 7, 7, tzinfo=UTC))
    ]


def objective(name: str, document: str | None = None) -> Any:
    return SimpleNamespace(name=name, document=document or name)


def service(name: str = "checkout", squad: str = "payments") -> dict[str, Any]:
    return {"service": name, "squad": squad}


@pytest.mark.parametrize(
    ("changes", "name", "row", "meant"),
    [
        ({}, "checkout-availability", service(), True),
        ({}, "checkout-latency", service(), False),
        ({}, "checkout-availability", service(squad="ads"), False),
        ({"spec.objectives": GONE}, "checkout-latency", service(), True),
        (ALL, "any", service("ads-api", "ads"), True),
        ({**ALL, "spec.services": ["checkout", "ads-*"]}, "any", service("ads-api", "ads"), True),
        ({**ALL, "spec.services": ["checkout", "ads-*"]}, "any", service("bads-api"), False),
        ({**ALL, "spec.services": ["CHECKOUT"]}, "any", service(), False),
    ],
)
def test_for_whom(tmp_path, changes, name, row, meant):
    assert applies(exclusion(tmp_path, changes), objective(name), row) is meant


def test_what_is_meant_for_a_document_is_meant_for_each_of_its_objectives(tmp_path):
    found = exclusion(tmp_path)
    assert applies(found, objective("shop-availability/strict", "shop-availability"), service())
    only = exclusion(tmp_path, {"spec.objectives": ["shop-availability/strict"]})
    assert applies(only, objective("shop-availability/strict", "shop-availability"), service())
    assert not applies(only, objective("shop-availability/loose", "shop-availability"), service())


def test_what_several_exclusions_take_is_merged(tmp_path):
    first = exclusion(tmp_path, ONCE)
    second = exclusion(tmp_path, {**ONCE, "spec.starts": "2026-01-04 03:00:00"})
    other = exclusion(tmp_path, {**ONCE, "spec.for": "squad = ads"})
    found = excluded([second, other, first], objective("a-availability"), service(), YEAR)
    assert spans(found) == ["01-04 01:00–04:00"]
    assert excluded([], objective("a"), service(), YEAR) == []


START = datetime(2026, 1, 1, tzinfo=UTC)


def stretch(first: int, length: int) -> Period:
    return Period(START + timedelta(minutes=first), START + timedelta(minutes=first + length))


STRETCHES = st.lists(st.builds(stretch, st.integers(-20, 120), st.integers(1, 30)), max_size=8)


def minutes(periods: list[Period]) -> set[datetime]:
    return {one.start + timedelta(minutes=i) for one in periods for i in range(one.minutes)}


@given(STRETCHES, st.randoms())
def test_merging_is_order_free_and_keeps_every_minute(periods, random):
    found = merged(periods)
    shuffled = list(periods)
    random.shuffle(shuffled)
    assert merged(shuffled) == found
    assert merged(found) == found
    assert minutes(found) == minutes(periods)
    assert all(one.end < other.start for one, other in pairwise(found))


COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=120)


@given(COUNTS, STRETCHES)
def test_excluded_minutes_leave_both_counts(valid, periods):
    frame = pl.DataFrame(
        {
            "minute": [START + timedelta(minutes=i) for i in range(len(valid))],
            "good_count": [count // 2 for count in valid],
            "valid_count": valid,
        },
        schema_overrides={"minute": pl.Datetime("us", "UTC")},
    )
    kept, out = without(frame, periods), minutes(periods)
    assert kept["minute"].to_list() == [at for at in frame["minute"] if at not in out]
    # What is kept and what is taken out add up to all, for both counts.
    gone = frame.filter(pl.col("minute").is_in(list(out)) if out else pl.lit(False))
    for key in ("good_count", "valid_count"):
        assert kept[key].sum() + gone[key].sum() == frame[key].sum()


def test_to_exclude_nothing_changes_nothing():
    frame = pl.DataFrame({"minute": [START]}, schema={"minute": pl.Datetime("us", "UTC")})
    assert without(frame, []).equals(frame)
    assert without(frame, [stretch(1, 5)]).equals(frame)
    assert without(frame.clear(), [stretch(0, 5)]).is_empty()


def test_minutes_keep_their_order_and_may_come_several_times():
    frame = pl.DataFrame(
        {"minute": [START + timedelta(minutes=i) for i in (5, 1, 5, 0)], "n": [1, 2, 3, 4]},
        schema_overrides={"minute": pl.Datetime("ms", "UTC")},
    )
    assert without(frame, [stretch(1, 2)])["n"].to_list() == [1, 3, 4]


# What is changed in the document above, and what the message says of it: field, value and rule.
WRONG = [
    ({"kind": "Maintenance"}, "kind is 'Maintenance'; it must be Exclusion"),
    ({"metadata.labels": {}}, "there is no field 'labels' here"),
    ({"metadata.name": "data base"}, "a name holds no spaces"),
    ({"spec": GONE}, "spec is missing; it is required"),
    ({"spec.reason": GONE}, "spec.reason is missing; it is required"),
    ({"spec.reason": " "}, "spec.reason is ' '; it must not be empty"),
    ({"spec.start": "2026-01-04"}, "there is no field 'start' here. Did you mean 'starts'?"),
    ({"spec.starts": GONE}, "spec.starts is missing; it is required"),
    ({"spec.starts": dt.date(2026, 1, 4)}, "spec.starts is 2026-01-04; it must be a date and time in whole seconds; write 2026-01-04 02:00:00: the time is missing"),
    ({"spec.starts": "2026-01-04"}, "the time is missing"),
    ({"spec.starts": "4 January"}, "spec.starts is '4 January'; it must be a date and time"),
    ({"spec.starts": 2026}, "spec.starts is 2026; it must be a date and time"),
    ({"spec.starts": "2026-01-04 02:00:00.5"}, "it must be a date and time in whole seconds"),
    ({"spec.lasts": "2H"}, "spec.lasts is '2H'; a duration is a whole number and one letter"),
    ({"spec.lasts": GONE}, "spec.lasts is missing; exactly one of lasts and ends is required"),
    ({"spec.ends": "2026-01-04 04:00:00"}, "it cannot stand beside lasts; keep one of them"),
    (
        {"spec.lasts": GONE, "spec.ends": "2026-01-04 02:00:00"},
        "spec.ends is '2026-01-04 02:00:00'; it must be after starts",
    ),
    ({"spec.for": "team = payments"}, "spec.for is 'team = payments'; services have no field 'team'"),
    ({"spec.for": 7}, "spec.for is 7; it must be text"),
    ({"spec.services": ["a"]}, "spec.services is ['a']; it cannot stand beside for"),
    ({"spec.objectives": []}, "it has 0 items and must have 1 or more"),
    ({"spec.objectives": "a"}, "it must be a list"),
    ({"spec.repeats": "FREQ=MINUTELY"}, "spec.repeats is 'FREQ=MINUTELY'; an exclusion that comes every minute"),
    ({"spec.repeats": ""}, "spec.repeats is ''; it must not be empty"),
    ({"spec.repeats": GONE}, "spec.repeats is missing; it is required beside except"),
    ({"spec.repeats": "FREQ=MONTHLY;BYDAY=1MO"}, "spec.starts is 2026-01-04 02:00:00; it must be an occurrence itself"),
    ({"spec.except": [dt.date(2026, 5, 4)]}, "spec.except[0] is 2026-05-04; it does not happen on that date anyway"),
    ({"spec.except": ["May"]}, "spec.except[0] is 'May'; it must be a date; write 2026-05-03"),
    ({"spec.except": [20260503]}, "spec.except[0] is 20260503; it must be a date"),
    ({"spec.timeZone": "Stockholm"}, "spec.timeZone is 'Stockholm'; it must be a zone of the IANA"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_wrong_exclusion_is_refused_with_its_place_field_value_and_rule(
    tmp_path, changes, message
):
    path = written(tmp_path, changed(changes, PATCHING))
    with pytest.raises(ObjectiveError) as caught:
        read_exclusions(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert caught.value.exit_code == 40


def test_every_fault_of_every_document_is_told(tmp_path):
    path = written(
        tmp_path,
        changed({"spec.reason": GONE, "spec.lasts": 2}, PATCHING),
        changed({"metadata.name": "other", "spec.timeZone": 1}, PATCHING),
    )
    with pytest.raises(ObjectiveError) as caught:
        read_exclusions(path)
    assert len(str(caught.value).splitlines()) == 3


def test_two_exclusions_of_one_name_are_refused(tmp_path):
    with pytest.raises(ObjectiveError, match="an exclusion of this name stands in"):
        read_exclusions(written(tmp_path, PATCHING, PATCHING))


def test_exclusions_are_found_among_objectives_in_a_folder(tmp_path):
    written(tmp_path, CHECKOUT, PATCHING, name="a.yaml")
    written(tmp_path, changed({"metadata.name": "second"}, PATCHING), name="b.yml")
    written(tmp_path, CHECKOUT, name="c.yaml")
    (tmp_path / "d.yaml").write_text("apiVersion: openslo/v1\nkind: [", encoding="utf-8")
    assert [one.name for one in read_exclusions(tmp_path)] == ["database-patching", "second"]
    assert [one.name for one in read_exclusions([tmp_path / "b.yml"])] == ["second"]
    with pytest.raises(ObjectiveError, match="there is no such file or folder"):
        read_exclusions(tmp_path / "none")
