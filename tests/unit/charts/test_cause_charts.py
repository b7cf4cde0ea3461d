"""What spent a budget, as a chart and as tables that say the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.charts import words
from fleetslo.charts.breakdown import broken_down, by_hour_of_week
from fleetslo.charts.causes import spent_by_cause
from fleetslo.reliability.explaining.breakdown import NOT_BROKEN_DOWN
from fleetslo.reliability.explaining.breakdown import SCHEMA as VALUES
from fleetslo.reliability.explaining.causes import BACKGROUND, SCHEMA, UNATTRIBUTED
from fleetslo.reliability.explaining.parts import NO_UPSTREAM, SLOW

AT = datetime(2026, 10, 22, 13, 42, tzinfo=UTC)
JUDGEMENT = {
    "objective": "checkout-availability", "label": "Availability", "kind": "availability",
    "budget_spent": 1.0, "budget_count": 1000.0, "valid_count": 1_000_000, "unit": "requests",
}  # fmt: skip
INCIDENTS = pl.DataFrame({"incident_id": ["INC-7", "INC-8"], "severity": ["sev1", None]})


SUNDAY = datetime(2026, 10, 18, 23, tzinfo=UTC)
DAY = timedelta(days=1)


def spent_at(*bad: tuple[datetime, float]) -> pl.DataFrame:
    """Hours and what was bad in them."""
    types = {"hour": pl.Datetime("us", "UTC"), "bad_count": pl.Float64}
    return pl.DataFrame(list(bad), schema=types, orient="row")


def explanation(
    *causes: tuple[str, str, int], background: int = 100, rest: int = 0, spent: float | None = 1.0
) -> pl.DataFrame:
    """Rows of (kind, cause, bad)."""
    rows = [*causes, ("background", BACKGROUND, background), ("unattributed", UNATTRIBUTED, rest)]
    total = sum(bad for _, _, bad in rows)
    return pl.DataFrame(
        [
            {
                "kind": kind, "cause": cause, "title": "Orders fail" if "INC" in cause else None,
                "bad_count": bad, "share": bad / total if total else None,
                "spent": None if spent is None or not total else spent * bad / total,
                "minute_count": 60, "first": AT, "last": AT,
            }
            for kind, cause, bad in rows
        ],
        schema=SCHEMA,
    )  # fmt: skip


def values(*rows: tuple[str, int, int | None], is_estimate: bool = False) -> pl.DataFrame:
    """Rows of (value, bad, valid)."""
    total = sum(bad for _, bad, _ in rows)
    return pl.DataFrame(
        [
            {
                "value": value, "bad_count": bad, "valid_count": valid,
                "share": bad / total if total else None, "spent": bad / total if total else None,
                "is_estimate": is_estimate,
            }
            for value, bad, valid in rows
        ],
        schema=VALUES,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "cause", "who"),
    [
        ("incident", "INC-7", "One incident"),
        ("incident", "INC-7 (rollout checkout-9)", "One deployment"),
        ("deployment", "rollout checkout-9", "One deployment"),
        ("upstream", "card-processor (INC-7)", "Trouble of card-processor"),
        ("overlap", "INC-7 and INC-8", "INC-7 and INC-8 together"),
    ],
)
def test_the_title_names_the_cause_that_spent_most(kind: str, cause: str, who: str) -> None:
    found = spent_by_cause(explanation((kind, cause, 58), background=42), JUDGEMENT, INCIDENTS)
    assert found.title == f"{who} spent 58{words.THIN}% of the availability budget"


SINGLE = "No single cause stands out:"


@pytest.mark.parametrize(
    ("given", "title"),
    [
        (
            explanation(("incident", "INC-7", 10), background=80, rest=10),
            f"{SINGLE} the usual background spent 80 % of the availability budget",
        ),
        (
            explanation(background=30, rest=70),
            f"{SINGLE} bursts that nothing explains spent 70 % of the availability budget",
        ),
        (  # 90 % of what was bad, and 4.5 % of the budget: hardly worth a title
            explanation(("incident", "INC-7", 90), background=10, spent=0.05),
            f"{SINGLE} the usual background spent 0.5 % of the availability budget",
        ),
        (
            explanation(("incident", "INC-7", 90), background=10, spent=None),
            "One incident made 90 % of what was bad",
        ),
        (explanation(background=0), "Nothing of the availability budget was spent"),
        (
            explanation().clear(),
            "No requests were counted, so nothing is known of the availability budget",
        ),
    ],
)
def test_the_title_says_so_when_no_cause_stands_out(given: pl.DataFrame, title: str) -> None:
    found = spent_by_cause(given, JUDGEMENT, INCIDENTS)
    assert found.title.replace(words.THIN, " ") == title
    assert found.payload()["numbers"]["of"] == given.height


def test_a_service_without_objective_spent_nothing() -> None:
    none = JUDGEMENT | {"objective": "", "valid_count": 0}
    assert spent_by_cause(explanation().clear(), none, INCIDENTS).title == (
        "No objective names this service, so nothing counts as spent"
    )
    assert broken_down({}, none).title == (
        "No objective names this service, so nothing can be broken down"
    )


def test_bars_are_shares_of_the_budget_and_the_numbers_say_the_same() -> None:
    given = explanation(("incident", "INC-7 <x>", 60), background=30, rest=10, spent=2.0)
    found = spent_by_cause(given, JUDGEMENT, INCIDENTS, width="half")
    bar = found.figure.data[0]
    assert list(bar.x) == pytest.approx([1.2, 0.6, 0.2])  # 60, 30 and 10 % of 200 %
    assert list(bar.y) == ["INC-7 &lt;x&gt;", "The usual background", "Unattributed"]
    assert found.numbers["spent"].to_list() == pytest.approx([1.2, 0.6, 0.2])
    assert found.numbers["severity"].to_list() == ["sev1", None, None]
    assert found.width == "half"
    assert found.made is not None
    assert found.made.counts == {
        "Bad requests": 100, "Of causes": 60, "The usual background": 30, "Unattributed": 10,
    }  # fmt: skip


def test_dependencies_keep_their_names_as_they_are_written() -> None:
    given = explanation(("upstream", "stock (INC-7)", 9), ("upstream", "stock", 3))
    found = spent_by_cause(given, JUDGEMENT, INCIDENTS)
    assert found.numbers["cause"].to_list()[:2] == ["stock (INC-7)", "stock, no incident"]


def test_severities_are_left_out_where_there_are_none() -> None:
    found = spent_by_cause(explanation(("incident", "INC-8", 60)), JUDGEMENT, INCIDENTS)
    assert "severity" not in [column.key for column in found.columns or []]


def test_many_causes_are_drawn_as_few_and_all_stand_in_the_numbers() -> None:
    many = [("incident", f"INC-{number}", 20 - number) for number in range(15)]
    found = spent_by_cause(explanation(*many), JUDGEMENT, INCIDENTS)
    names = list(found.figure.data[0].y)
    assert names[-3:] == ["7 other causes", "The usual background", "Unattributed"]
    assert len(names) == 11
    assert sum(found.figure.data[0].x) == pytest.approx(1.0)
    assert found.numbers.height == 17


def test_an_incident_that_cost_nothing_has_no_bar_and_a_row() -> None:
    found = spent_by_cause(explanation(("incident", "INC-7", 0)), JUDGEMENT, INCIDENTS)
    assert list(found.figure.data[0].y) == ["The usual background", "Unattributed"]
    assert found.numbers.height == 3


FRAMES = {
    "endpoint": values(("POST /orders", 74, 360), ("GET /cart", 26, 640)),
    "error": values(("503", 60, None), ("500", 40, None)),
    "upstream": values((NO_UPSTREAM, 90, None), ("stock", 10, None)),
    "version": values(("2", 95, 100), ("1", 5, 900)),
    "hour of the week": values(("Mon 09:00", 100, 1000)),
}


def test_the_table_names_what_has_more_than_its_share() -> None:
    found = broken_down(FRAMES, JUDGEMENT)
    # 74 − 36 points; the version has more, and some version always serves when things go wrong
    assert found.title.replace(words.THIN, " ") == (
        "POST /orders had 74 % of what was bad, with 36 % of the requests"
    )
    assert [(row["dimension"], row["value"]) for row in found.rows] == [
        ("Endpoint", "POST /orders"), ("Endpoint", "GET /cart"), ("Error", "503"), ("Error", "500"),
        ("Dependency", NO_UPSTREAM), ("Dependency", "stock"), ("Version", "2"), ("Version", "1"),
    ]  # fmt: skip
    assert {row["known"] for row in found.rows} == {"counted"}


def test_an_estimate_is_said_to_be_one() -> None:
    slow = values(("stock", 80, None), (NO_UPSTREAM, 20, None), is_estimate=True)
    found = broken_down({"error": values((SLOW, 100, None)), "upstream": slow}, JUDGEMENT)
    assert found.title.replace(words.THIN, " ") == "Calls to stock had about 80 % of what was bad"
    assert [row["known"] for row in found.rows] == ["counted", "estimate", "estimate"]


def test_the_table_says_so_when_nothing_stands_out() -> None:
    even = values(("a", 52, 500), ("b", 48, 500))
    assert broken_down({"endpoint": even, "region": even}, JUDGEMENT).title == (
        "No endpoint or region stands out"
    )
    assert broken_down({"upstream": even}, JUDGEMENT).title == "No dependency stands out"
    unknown = values((NOT_BROKEN_DOWN, 9, None))
    assert broken_down({"endpoint": unknown}, JUDGEMENT).title == (
        "What the bad ones had in common is not recorded"
    )
    fine = values(("a", 0, 500))
    found = broken_down({"endpoint": fine}, JUDGEMENT)
    assert (found.title, list(found.rows)) == ("Nothing was bad", [])
    silent = broken_down({"endpoint": fine.clear()}, JUDGEMENT | {"valid_count": 0})
    assert silent.title == "No requests were counted, so nothing can be broken down"


def test_the_least_of_many_values_are_one_row_and_the_rest_comes_last() -> None:
    many = [(f"v{number}", 20 - number, 10) for number in range(8)]
    found = broken_down({"version": values(*many, (NOT_BROKEN_DOWN, 3, None))}, JUDGEMENT)
    names = [row["value"] for row in found.rows]
    assert names == ["v0", "v1", "v2", "5 others", NOT_BROKEN_DOWN]
    assert sum(row["bad_count"] for row in found.rows) == sum(bad for _, bad, _ in many) + 3
    assert sum(row["share"] for row in found.rows) == pytest.approx(1.0)
    four = broken_down({"version": values(*many[:4])}, JUDGEMENT)
    assert len(four.rows) == 4  # one left over is shown by its name


def test_a_source_that_does_not_say_where_has_words_for_it() -> None:
    found = broken_down({"endpoint": values(("", 9, 10), ("a", 1, 10))}, JUDGEMENT)
    assert found.rows[0]["value"] == "(no endpoint given)"


def test_the_week_is_drawn_with_gaps_where_nothing_reported() -> None:
    hours = values(("Mon 09:00", 30, 100), ("Sun 23:00", 70, 100))
    # Two Sundays: 40 of the 70 are 57 %.
    found = by_hour_of_week(hours, JUDGEMENT, spent_at((SUNDAY, 40), (SUNDAY + 7 * DAY, 30)))
    assert found.title.replace(words.THIN, " ") == "Sun 23:00 UTC had 70 % of what was bad"
    z: Any = found.figure.data[0].z
    assert (z[0][9], z[6][23]) == (30, 70)
    assert pl.Series(z[1]).is_nan().all()
    assert found.numbers["bad_count"].sum() == 100


def test_one_bad_hour_is_not_called_a_habit() -> None:
    hours = values(("Mon 09:00", 30, 100), ("Sun 23:00", 70, 100))
    # 60 of the 70 were bad on one Sunday: 86 %.
    found = by_hour_of_week(hours, JUDGEMENT, spent_at((SUNDAY, 10), (SUNDAY + 7 * DAY, 60)))
    assert found.title.replace(words.THIN, " ") == (
        "One hour from 25 Oct 23:00 had 70 % of what was bad, not the same hour every week"
    )


@pytest.mark.parametrize(
    ("hours", "title"),
    [
        (
            values(*((f"Mon {hour:02}:00", 5, 100) for hour in range(20))),
            "No hour of the week stands out",
        ),
        (values(("Mon 09:00", 0, 100)), "Nothing was bad at any hour of the week"),
        (values(), "No requests were counted, so no hour of the week stands out"),
    ],
)
def test_the_week_says_so_when_no_hour_stands_out(hours: pl.DataFrame, title: str) -> None:
    assert by_hour_of_week(hours, JUDGEMENT, spent_at()).title == title
