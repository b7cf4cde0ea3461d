"""Every bad request has one cause, and it is the right one."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from explained_minutes import (
    DAYS,
    NAME,
    at,
    counted,
    deployments,
    explained,
    incidents,
    minutes,
    owned,
    signals,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.reliability.explaining.causes import BACKGROUND, SCHEMA, UNATTRIBUTED, explain

USUAL = DAYS * 1440  # one bad request in each of 14,400 minutes
FROM = 4 * 1440 + 600  # the fifth day, 10:00
HOUR = FROM // 60


def test_an_incident_owns_what_was_bad_beyond_the_usual_in_its_minutes() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    found = explained(frame, incidents=incidents({"start": FROM, "mitigated": FROM + 60}))
    # 60 minutes of 50 bad requests more than the usual one: 3,000
    assert owned(found) == {"INC-1": 3000, BACKGROUND: USUAL}
    row = found.row(0, named=True)
    assert (row["kind"], row["title"], row["minute_count"]) == ("incident", "It fails", 60)
    assert (row["first"], row["last"]) == (at(FROM), at(FROM + 59))
    assert row["share"] == pytest.approx(3000 / 17_400)


def test_shares_of_the_budget_add_up_to_what_was_spent() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    it = incidents({"start": FROM, "mitigated": FROM + 60})
    found = explained(frame, incidents=it, budget_spent=1.74)
    # 3,000 of 17,400 bad requests spent 3,000 / 17,400 × 174 % = 30 %, the background 144 %
    assert found["spent"].to_list() == pytest.approx([0.3, 1.44, 0.0])
    assert explained(frame, incidents=it)["spent"].null_count() == 3


@pytest.mark.parametrize("late", [-10, 10, 14])
def test_edges_may_be_wrong_by_minutes(late: int) -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    it = incidents({"start": FROM + late, "mitigated": FROM + 60 + late})
    assert owned(explained(frame, incidents=it)) == {"INC-1": 3000, BACKGROUND: USUAL}


def test_an_incident_keeps_what_eases_until_it_is_closed() -> None:
    frame = minutes({(FROM, FROM + 60): 50, (FROM + 60, FROM + 90): 20})
    it = incidents({"start": FROM, "mitigated": FROM + 45, "resolved": FROM + 180})
    # 3,000 and 30 minutes of 20
    assert owned(explained(frame, incidents=it)) == {"INC-1": 3600, BACKGROUND: USUAL}


def test_a_burst_long_after_an_incident_is_not_its_own() -> None:
    frame = minutes({(FROM, FROM + 60): 50, (FROM + 300, FROM + 310): 50})
    it = incidents({"start": FROM, "mitigated": FROM + 60, "resolved": FROM + 90})
    assert owned(explained(frame, incidents=it)) == {
        "INC-1": 3000, UNATTRIBUTED: 500, BACKGROUND: USUAL,
    }  # fmt: skip


def test_an_open_incident_reaches_to_the_last_minute() -> None:
    frame = minutes({(USUAL - 30, USUAL): 50})
    found = explained(frame, incidents=incidents({"start": USUAL - 30}))
    assert owned(found) == {"INC-1": 1500, BACKGROUND: USUAL}
    assert found["last"][0] == at(USUAL - 1)


def test_an_incident_that_cost_nothing_has_a_row_of_nothing() -> None:
    found = explained(minutes(), incidents=incidents({"start": FROM, "mitigated": FROM + 60}))
    assert owned(found) == {BACKGROUND: USUAL}
    assert found.row(0, named=True) | {"title": None} == {
        "kind": "incident", "cause": "INC-1", "title": None, "bad_count": 0, "share": 0.0,
        "spent": None, "minute_count": 0, "first": None, "last": None,
    }  # fmt: skip


def test_minutes_of_two_incidents_belong_to_both() -> None:
    frame = minutes({(FROM, FROM + 90): 50})
    two = incidents(
        {"start": FROM, "mitigated": FROM + 60}, {"start": FROM + 30, "mitigated": FROM + 90}
    )
    found = explained(frame, incidents=two)
    # half an hour each, 30 × 50
    assert owned(found) == {
        "INC-1": 1500, "INC-1 and INC-2": 1500, "INC-2": 1500, BACKGROUND: USUAL,
    }  # fmt: skip
    kinds = dict(found.select("cause", "kind").iter_rows())
    assert kinds["INC-1 and INC-2"] == "overlap"


def test_an_incident_without_harm_takes_no_part_in_an_overlap() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    two = incidents(
        {"start": FROM, "mitigated": FROM + 60}, {"start": FROM + 55, "mitigated": FROM + 600}
    )
    found = owned(explained(frame, incidents=two))
    # In the second one's 545 minutes 250 more were bad than the usual 545: half days differ so.
    assert found == {"INC-1": 3000, BACKGROUND: USUAL}
    apart = incidents(
        {"start": FROM, "mitigated": FROM + 60}, {"start": FROM + 90, "resolved": 9000}
    )
    assert owned(explained(frame, incidents=apart)) == {"INC-1": 3000, BACKGROUND: USUAL}


def test_a_rollout_that_caused_an_incident_is_the_same_cause() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    found = explained(
        frame,
        incidents=incidents({"start": FROM + 40, "mitigated": FROM + 60, "by": "cart-7"}),
        deployments=deployments(
            {"id": "cart-6", "start": 600}, {"id": "cart-7", "start": FROM},
            {"id": "cart-8", "start": FROM + 50, "rollback_of": "cart-7"},
        ),
    )  # fmt: skip
    assert owned(found) == {"INC-1 (rollout cart-7)": 3000, BACKGROUND: USUAL}
    assert found["kind"][0] == "incident"


def test_incidents_of_one_rollout_are_one_cause() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    found = explained(
        frame,
        incidents=incidents(
            {"start": FROM, "mitigated": FROM + 20, "by": "cart-7"},
            {"start": FROM + 30, "mitigated": FROM + 60, "by": "cart-7"},
        ),
    )
    assert owned(found) == {"INC-1, INC-2 (rollout cart-7)": 3000, BACKGROUND: USUAL}


@pytest.mark.parametrize(
    "after",
    [
        {"id": "cart-8", "start": FROM + 290, "rollback_of": "cart-7"},
        {"id": "cart-8", "start": FROM + 290, "remediates": "cart-7"},
    ],
)
def test_a_rollout_that_was_undone_owns_its_harm(after: dict[str, Any]) -> None:
    frame = minutes({(FROM, FROM + 300): 2})
    shipped = deployments({"id": "cart-7", "start": FROM, "version": "4.2"}, after)
    found = explained(frame, deployments=shipped)
    # five hours of three bad requests a minute, not one: 600 more
    assert owned(found) == {"rollout cart-7": 600, BACKGROUND: USUAL}
    assert found.row(0)[:3] == ("deployment", "rollout cart-7", "Version 4.2, undone")


def test_a_rollout_that_raised_the_bad_share_while_it_served_owns_it() -> None:
    day = 1440
    frame = minutes({(FROM, FROM + day): 3})
    shipped = deployments(
        {"id": "cart-6", "start": FROM - day}, {"id": "cart-7", "start": FROM},
        {"id": "cart-8", "start": FROM + day},
    )  # fmt: skip
    found = owned(explained(frame, deployments=shipped))
    # 1,440 minutes of 3 more
    assert found.keys() == {"rollout cart-7", BACKGROUND}
    assert found["rollout cart-7"] == pytest.approx(4320, rel=0.01)


def test_a_rollout_is_not_to_blame_for_a_burst_in_its_time() -> None:
    frame = minutes({(FROM, FROM + 30): 50})
    shipped = deployments({"id": "cart-6", "start": 0}, {"id": "cart-7", "start": FROM - 5})
    assert owned(explained(frame, deployments=shipped)) == {UNATTRIBUTED: 1500, BACKGROUND: USUAL}


def test_a_pipeline_that_failed_before_it_served_did_nothing() -> None:
    frame = minutes({(FROM, FROM + 30): 50})
    failed = deployments({"id": "cart-7", "start": FROM, "outcome": "failed", "share": 0.0})
    assert owned(explained(frame, deployments=failed)) == {UNATTRIBUTED: 1500, BACKGROUND: USUAL}


def test_a_dependencys_incident_owns_what_its_callers_saw() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    other = incidents({"id": "INC-9", "service": "stock", "start": FROM, "mitigated": FROM + 60})
    found = explained(frame, dependencies=other)
    assert owned(found) == {"stock (INC-9)": 3000, BACKGROUND: USUAL}
    assert found["kind"][0] == "upstream"


def test_a_dependency_has_caused_no_more_than_the_errors_that_name_it() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    other = incidents({"id": "INC-9", "service": "stock", "start": FROM, "mitigated": FROM + 60})
    named = signals({("stock", HOUR): 1000})
    found = explained(frame, dependencies=other, signals=named)
    # 1,000 errors name it, of 3,000 beyond the usual: the others are nobody's
    assert owned(found) == {"stock (INC-9)": 1000, UNATTRIBUTED: 2000, BACKGROUND: USUAL}
    slow = explained(frame, dependencies=other, signals=named, names_requests=False)
    assert owned(slow) == {"stock (INC-9)": 3000, BACKGROUND: USUAL}


def test_a_dependency_that_failed_without_an_incident_is_found_by_its_errors() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    found = explained(frame, signals=signals({("stock", HOUR): 2900, ("price", HOUR): 100}))
    assert owned(found) == {"stock": 2900, UNATTRIBUTED: 100, BACKGROUND: USUAL}


def test_a_burst_of_which_a_few_name_a_dependency_is_not_its_doing() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    found = explained(frame, signals=signals({("stock", HOUR): 1000}))
    assert owned(found) == {UNATTRIBUTED: 3000, BACKGROUND: USUAL}


def test_inside_its_own_incident_the_errors_of_a_dependency_are_the_incidents() -> None:
    frame = minutes({(FROM, FROM + 60): 50})
    it = incidents({"start": FROM, "mitigated": FROM + 60})
    found = explained(frame, incidents=it, signals=signals({("stock", HOUR): 3000}))
    assert owned(found) == {"INC-1": 3000, BACKGROUND: USUAL}


def test_what_comes_back_every_night_is_usual() -> None:
    nightly = {(day * 1440 + 120, day * 1440 + 180): 20 for day in range(DAYS)}
    found = explained(minutes(nightly))
    assert owned(found) == {BACKGROUND: USUAL + DAYS * 60 * 20}


def test_what_was_sampled_fails_in_lumps_and_not_in_bursts() -> None:
    # One request in ten is counted, as ten: now and then ten fail at once, as one did.
    random = np.random.default_rng(7)
    bad = 10 * (random.random(DAYS * 1440) < 0.02)
    found = owned(explained(counted(bad, np.full(len(bad), 1000))))
    assert found.get(UNATTRIBUTED, 0) < 0.05 * bad.sum()


def test_a_great_burst_does_not_pass_for_a_drift() -> None:
    # 150 times the usual for eight hours, which is 98 % of all that was bad
    frame = minutes({(FROM, FROM + 480): 1500}, usual=1)
    frame = frame.with_columns(pl.col("valid_count", "good_count") + 1000)
    found = owned(explained(frame))
    assert found[UNATTRIBUTED] == pytest.approx(480 * 1500, rel=0.001)


def test_a_quiet_service_can_have_a_cause() -> None:
    bad, valid = np.zeros(USUAL), np.full(USUAL, 1)
    bad[FROM : FROM + 10] = 1
    bad[[17, 4000, 9000]] = 1  # now and then one
    it = incidents({"start": FROM, "mitigated": FROM + 10})
    assert owned(explained(counted(bad, valid), incidents=it)) == {"INC-1": 10, BACKGROUND: 3}


def test_one_bad_request_is_nobodys_doing() -> None:
    bad, valid = np.zeros(USUAL), np.full(USUAL, 1)
    bad[FROM] = 1
    it = incidents({"start": FROM, "mitigated": FROM + 10})
    assert owned(explained(counted(bad, valid), incidents=it)) == {BACKGROUND: 1}


def test_an_incident_over_all_of_the_window_leaves_the_usual_of_its_better_hours() -> None:
    frame = minutes({(day * 1440, day * 1440 + 720): 50 for day in range(DAYS)})
    found = owned(explained(frame, incidents=incidents({"start": 0})))
    # Half of the time one is bad a minute, the other half 51: the better hours are the usual.
    assert found["INC-1"] == pytest.approx(DAYS * 720 * 50, rel=0.01)


def test_a_gap_in_the_telemetry_is_nobodys() -> None:
    frame = minutes({(FROM, FROM + 60): 50}).filter(
        (pl.col("minute") < at(FROM - 600)) | (pl.col("minute") >= at(FROM - 300))
    )
    it = incidents({"start": FROM - 500, "mitigated": FROM + 60})
    found = explained(frame, incidents=it)
    assert owned(found) == {"INC-1": 3000, BACKGROUND: USUAL - 300}
    # 300 minutes before the hour were covered again, and those before the gap are not its own
    assert found["minute_count"][0] == 300 + 60


def test_no_minutes_have_no_causes() -> None:
    nothing = minutes().filter(pl.col("objective") == "another")
    found = explained(nothing, incidents=incidents({"start": FROM}))
    assert found.is_empty()
    assert found.schema == SCHEMA


def test_nothing_bad_has_no_shares() -> None:
    found = explained(minutes(usual=0), budget_spent=0.0)
    assert found["kind"].to_list() == ["background", "unattributed"]
    assert found["bad_count"].to_list() == [0, 0]
    assert found["share"].null_count() == 2


def test_other_objectives_of_the_same_minutes_are_left_out() -> None:
    both = pl.concat([minutes(), minutes(usual=9).with_columns(objective=pl.lit("cart-latency"))])
    none = {"incidents": incidents(), "deployments": deployments(), "dependencies": incidents()}
    assert explain(both, NAME, **none)["bad_count"].sum() == USUAL


STRETCH = st.tuples(st.integers(-500, 3500), st.integers(1, 2000))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    rate=st.sampled_from([0.0, 0.01, 0.5, 20.0]),
    own=st.lists(STRETCH, max_size=3),
    others=st.lists(STRETCH, max_size=2),
    shipped=st.lists(st.integers(0, 2800), max_size=4, unique=True),
    named=st.dictionaries(
        st.tuples(st.sampled_from(["stock", "price"]), st.integers(-2, 60)), st.integers(0, 500)
    ),
    names_requests=st.booleans(),
)
def test_the_rows_add_up_to_everything_bad(
    seed: int,
    rate: float,
    own: list[tuple[int, int]],
    others: list[tuple[int, int]],
    shipped: list[int],
    named: dict[tuple[str, int], int],
    names_requests: bool,
) -> None:
    random = np.random.default_rng(seed)
    bad = random.poisson(rate * random.lognormal(0, 1, 48).repeat(60))
    frame = counted(bad, bad + random.integers(0, 50, len(bad)))
    kept = frame.filter(pl.Series(random.random(len(bad)) < 0.9))
    found = explained(
        kept,
        incidents=incidents(*({"start": a, "mitigated": a + n} for a, n in own)),
        dependencies=incidents(
            *(
                {"id": f"INC-9{i}", "service": "stock", "start": a, "mitigated": a + n}
                for i, (a, n) in enumerate(others)
            )
        ),
        deployments=deployments(*({"id": f"r-{a}", "start": a} for a in shipped)),
        signals=signals(named),
        names_requests=names_requests,
        budget_spent=2.0,
    )
    total = int((kept["valid_count"] - kept["good_count"]).sum())
    assert found["bad_count"].sum() == total
    assert (found["bad_count"] >= 0).all()
    assert found["cause"].is_unique().all()
    assert {"background", "unattributed"} <= set(found["kind"])
    assert found["minute_count"].sum() <= kept.height
    if total:
        assert found["share"].sum() == pytest.approx(1.0)
        assert found["spent"].sum() == pytest.approx(2.0)


def test_the_first_minute_may_be_any() -> None:
    frame = minutes({(FROM, FROM + 60): 50}).filter(pl.col("minute") >= at(37))
    it = incidents({"start": FROM, "mitigated": FROM + 60})
    assert owned(explained(frame, incidents=it)) == {"INC-1": 3000, BACKGROUND: USUAL - 37}
