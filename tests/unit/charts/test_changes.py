"""What a page says changed since the report before; every number is worked out beside it."""

from typing import Any

import polars as pl
import pytest
from test_report_charts import PERIOD, judgement, judgements

from fleetslo.charts import changes, fleet, service
from fleetslo.charts.squad import page as squad
from fleetslo.charts.words import THIN, ordinal

# At 99.9 % a million requests have a budget of 1,000.
MILLION = 1_000_000


def left(share: float, name: str = "checkout", **other: Any) -> dict[str, Any]:
    """Return a judgement with so much of its budget left: 1,000 x (1 - share) are bad."""
    return judgement(MILLION - round(1_000 * (1 - share)), MILLION, name=name, **other)


def spent(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"service": name, "objective": f"{name}-availability", "bad_count": float(bad)}
         for name, bad in rows]
    )  # fmt: skip


def endpoints(*rows: tuple[str, int], name: str = "checkout") -> pl.DataFrame:
    schema = {"service": pl.String, "endpoint": pl.String, "error_count": pl.Int64,
              "request_count": pl.Int64}  # fmt: skip
    return pl.DataFrame([(name, path, bad, 1_000) for path, bad in rows], schema, orient="row")


class TestService:
    def test_a_newly_missed_objective_and_what_was_spent_in_between(self) -> None:
        line = service.changes(
            judgements(left(-0.2)), judgements(left(0.4)), (), {"checkout-availability": 0.7}
        )
        # 1.2 of the budget is gone now, 0.6 was a week ago; 0.1 of that is older than the window
        assert line.sentence == (
            "**Since a week ago:** availability went from met to **missed**; availability budget "
            f"left fell from 40{THIN}% to −20{THIN}% (70{THIN}% of it spent in between)."
        )
        counts = dict(line.payload()["made"]["counts"])
        assert counts["Availability: spent in between"] == "0.7"

    def test_one_that_is_met_again(self) -> None:
        line = service.changes(judgements(left(0.6)), judgements(left(-0.1))).sentence
        assert line == (
            "**Since a week ago:** availability went from missed to **met**; availability budget "
            f"left rose from −10{THIN}% to 60{THIN}%."
        )

    def test_a_budget_that_is_as_it_was_though_some_was_spent(self) -> None:
        now = judgements(left(0.6))
        line = service.changes(now, now, (), {"checkout-availability": 0.1}).sentence
        assert line == (
            f"**Since a week ago:** availability budget left is still 60{THIN}% "
            f"(10{THIN}% of it spent in between)."
        )

    def test_nothing_changed_and_nothing_before_are_a_few_words_each(self) -> None:
        now = judgements(left(0.6))
        quiet = service.changes(now, now, (), {"checkout-availability": 0.0})
        assert quiet.sentence == "**Since a week ago:** nothing changed."
        first = service.changes(now, now.clear(), (), {"checkout-availability": 0.4})
        assert first.sentence == (
            "**Since a week ago:** there is no earlier verdict to compare with."
        )

    def test_a_new_worst_endpoint(self) -> None:
        now = judgements(left(0.6))
        # 30 of 40 faults; a week ago GET /cart had 12 of 20
        both = (
            endpoints(("POST /pay", 30), ("GET /cart", 10)),
            endpoints(("POST /pay", 8), ("GET /cart", 12)),
        )
        assert service.changes(now, now, (), None, both).sentence == (
            f"**Since a week ago:** the worst endpoint is now `POST /pay`, with 75{THIN}% of the "
            "faults; before it was `GET /cart`."
        )


@pytest.mark.parametrize(
    ("now", "before", "says"),
    [
        ([("a", 3)], [("a", 9)], None),  # the same one
        ([("a", 0)], [("a", 9)], None),  # nothing failed now
        ([("", 3)], [("a", 9)], None),  # endpoints are not told apart
        ([("a", 3)], [], None),  # there was no report before
        ([("a", 3), ("b", 3)], [("b", 1)], "now `a`"),  # of equals the first by name
        ([("a", 3)], [("a", 0)], "before nothing failed"),
    ],
)
def test_when_an_endpoint_is_a_new_worst_one(now: Any, before: Any, says: str | None) -> None:
    found = changes.worst_endpoint(endpoints(*now), endpoints(*before))
    assert (found is None) if says is None else (found is not None and says in found)


class TestRank:
    def test_the_service_that_came_furthest_up_is_named(self) -> None:
        before = judgements(*(left(n / 10, name) for n, name in enumerate("abcde", start=1)))
        # a 0.1 b 0.2 c 0.3 d 0.4 e 0.5; then d has 0.05 and e 0.15: d, a, e, b, c
        now = judgements(left(0.1, "a"), left(0.2, "b"), left(0.3, "c"), left(0.05, "d"),
                         left(0.15, "e"))  # fmt: skip
        assert changes.ranks(now) == {"d": 1, "a": 2, "e": 3, "b": 4, "c": 5}
        assert changes.rank_moved(now, before) == (
            "`d` came from 4th to 1st of 5 services by budget spent"
        )
        assert changes.rank_moved(before, before) is None

    def test_equals_share_a_place_and_newcomers_move_nobody(self) -> None:
        same = judgements(left(0.2, "a"), left(0.2, "b"), left(0.3, "c"))
        assert changes.ranks(same) == {"a": 1, "b": 1, "c": 3}
        newcomer = judgements(left(-0.5, "z"), *same.to_dicts())
        assert changes.rank_moved(newcomer, same) is None

    def test_the_worst_of_a_services_objectives_counts(self) -> None:
        two = [left(0.9, "a"), left(0.1, "a", objective="a-fast"), left(0.5, "b")]
        unjudged = judgement(1, 1, name="c", coverage=0.1)
        assert changes.ranks(judgements(*two, unjudged)) == {"a": 1, "b": 2}

    def test_places_are_read_as_they_are_spoken(self) -> None:
        assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 1_003)] == [
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "1,003rd"
        ]  # fmt: skip


def test_the_objective_that_spent_most_in_between_is_told() -> None:
    now = judgements(left(0.6), left(0.5, "search"), left(0.2, "whole", unit="burn"))
    # 300 of 1,000 are 30 %; 450 of search's 1,000 are 45 %; a composite's members tell its own
    week = spent(("checkout", 300), ("search", 450), ("whole", 900))
    told = f"`search` availability spent most in between, 45{THIN}% of its budget"
    assert changes.most_spent(now, week) == told
    assert changes.most_spent(now, spent(("checkout", 0))) is None
    before = judgements(left(0.7), left(0.5, "search"), left(0.2, "whole", unit="burn"))
    assert fleet.changes(now, before, [], week).sentence == (
        f"**Since a week ago:** every verdict is the same; {told}."
    )
    moved = judgements(left(0.1), left(0.5, "search"), left(0.2, "whole", unit="burn"))
    both = endpoints(("a", 1)), endpoints(("b", 1))
    assert squad.changes(moved, before, PERIOD, [], spent(("checkout", 900)), both).sentence == (
        "**Since the period before (6 Sep – 4 Oct 2026):** `checkout` availability went from met "
        f"to **at risk**; `checkout` availability spent most in between, 90{THIN}% of its budget; "
        "`checkout` came from 3rd to 1st of 3 services by budget spent; the worst endpoint is now "
        f"`a` of `checkout`, with 100{THIN}% of the faults; before it was `b` of `checkout`."
    )
