"""What several services come to together, and what each took from it."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.reliability.combined import combine, contributions, left_out


def counts(*rows: tuple[str, str, int, int], **other: Any) -> pl.DataFrame:
    """Rows of service, kind, valid, bad; targets are 99.9 %, or 99 % for latency."""
    return pl.DataFrame(
        [
            {
                "service": service,
                "objective": f"{service}-{kind}",
                "label": kind.capitalize(),
                "kind": kind,
                "unit": "requests",
                "target": 0.99 if kind == "latency" else 0.999,
                "valid_count": float(valid),
                "bad_count": float(bad),
                **other,
            }
            for service, kind, valid, bad in rows
        ],
        schema={
            "service": pl.String, "objective": pl.String, "label": pl.String, "kind": pl.String,
            "unit": pl.String, "target": pl.Float64, "valid_count": pl.Float64,
            "bad_count": pl.Float64,
        },
    )  # fmt: skip


def test_a_service_weighs_what_its_traffic_weighs() -> None:
    found = contributions(
        counts(("big", "availability", 9_000, 3), ("small", "availability", 1_000, 12))
    )
    small, big = found.to_dicts()  # the one that took most comes first
    # 9,000 and 1,000 of 10,000 requests; 3 and 12 of 15 bad ones
    assert (big["weight"], small["weight"]) == (0.9, 0.1)
    assert (big["impact"], small["impact"]) == (0.0003, 0.0012)
    assert (big["share"], small["share"]) == (0.2, 0.8)
    both = combine(found, "availability")
    # 9,985 of 10,000 were good; the budget is 0.001 x 10,000 = 10, so 15 overspend it by half
    assert both.sli == 0.9985
    assert both.budget_count == pytest.approx(10)
    assert both.budget_left == pytest.approx(-0.5)


def test_the_combined_target_is_weighted_so_that_budgets_add_up() -> None:
    loose = counts(("loose", "availability", 1_000, 4)).with_columns(target=pl.lit(0.99))
    strict = counts(("strict", "availability", 9_000, 1))
    both = combine(contributions(pl.concat([loose, strict])), "availability")
    # 10 + 9 may fail of 10,000; the plain mean of 99 % and 99.9 % would allow 55
    assert both.budget_count == pytest.approx(19)
    assert both.target == pytest.approx(0.9981)


def test_errors_and_slowness_stay_apart() -> None:
    found = contributions(counts(("a", "availability", 100, 1), ("a", "latency", 99, 9)))
    assert combine(found, "availability").sli == 0.99
    assert combine(found, "latency").sli == pytest.approx(90 / 99)
    assert found["weight"].to_list() == [1.0, 1.0]


def test_no_request_counts_twice_where_a_service_has_two_objectives_of_a_kind() -> None:
    part = counts(("a", "availability", 10, 5)).with_columns(objective=pl.lit("a-orders"))
    found = contributions(pl.concat([part, counts(("a", "availability", 100, 5))]))
    assert found["objective"].to_list() == ["a-availability"]


def test_what_counts_no_requests_is_left_out_and_named() -> None:
    slices = counts(("sliced", "availability", 40, 1), unit="slices")
    events = counts(("indexer", "events", 500, 5), unit="events")
    both = pl.concat([counts(("a", "availability", 100, 1)), slices, events])
    assert contributions(both)["service"].to_list() == ["a"]
    assert left_out(both) == ["indexer", "sliced"]


def test_a_budget_of_less_than_one_request_is_not_judged() -> None:
    few = combine(contributions(counts(("a", "availability", 507, 2))), "availability")
    assert few.budget_count == pytest.approx(0.507)
    assert (few.sli, few.budget_left) == (505 / 507, None)


def test_nothing_counted_is_no_number() -> None:
    none = combine(contributions(counts(("a", "availability", 0, 0))), "availability")
    assert (none.sli, none.target, none.budget_left) == (None, None, None)
    perfect = contributions(counts(("a", "availability", 10, 0)))
    assert perfect["share"].to_list() == [None]


@given(
    st.lists(
        st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
        min_size=1,
        max_size=8,
    )
)
def test_weights_impacts_and_shares_add_up(pairs: list[tuple[int, int]]) -> None:
    found = contributions(
        counts(*[(f"s{i}", "availability", n, bad) for i, (n, bad) in enumerate(pairs)])
    )
    both = combine(found, "availability")
    assert both.bad_count == sum(bad for _, bad in pairs)
    assert both.sli is not None
    assert found["weight"].sum() == pytest.approx(1)
    assert found["impact"].sum() == pytest.approx(1 - both.sli, abs=1e-12)
    # The mean of the SLIs, weighted by traffic, is the combined SLI.
    assert (found["weight"] * found["sli"]).sum() == pytest.approx(both.sli)
    if both.bad_count:
        assert found["share"].sum() == pytest.approx(1)
