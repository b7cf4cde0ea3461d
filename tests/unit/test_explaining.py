"""What is fetched for an explanation, and how the members of a composite are put together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.explaining import Explaining
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import Exclusion
from fleetslo.reliability.explaining.causes import BACKGROUND
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.windows import RollingWindow
from fleetslo.warehouse.contracts import contract

START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 7
PERIOD = Period(START, START + timedelta(days=DAYS))
NOON = START + timedelta(days=3, hours=12)
ABOUT = {"service": "cart", "tier": 1}


def objective(name: str, selector: Selector, target: float = 0.99, **other: Any) -> Objective:
    return Objective(
        name=name,
        display_name=None,
        service="cart",
        selector=selector,
        target=target,
        window=RollingWindow(timedelta(days=DAYS)),
        method="Occurrences",
        labels={},
        annotations={},
        source="cart.yaml",
        for_condition=None,
        document=name,
        **other,
    )


SERVED = objective("cart-served", Selector(requests="all"))
FAST = objective("cart-fast", Selector(requests="successful", within_s=0.3), weight=3.0)
BOTH = replace(objective("cart", Selector()), members=(SERVED, FAST))


def rows(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    """Rows with the columns of a table, null where not given."""
    return pl.DataFrame(list(given), schema=contract(table).schema)


def minutes(of: Objective, bad: int, harm: int) -> pl.DataFrame:
    """A bad request or more of a hundred each minute, and more of them from noon to one."""
    stamps = pl.datetime_range(
        PERIOD.start, PERIOD.end, "1m", closed="left", time_unit="us", eager=True
    )
    at_noon = stamps.is_between(NOON, NOON + timedelta(hours=1), closed="left")
    wrong = pl.Series([bad + harm if it else bad for it in at_noon])
    return pl.DataFrame(
        {
            "service": "cart", "objective": of.name, "definition": of.selector.definition,
            "minute": stamps, "good_count": 100 - wrong, "valid_count": 100,
            "uncertain_count": 0,
        }
    )  # fmt: skip


@dataclass
class Fleet:
    """Answers questions from a few rows, and remembers who was asked about."""

    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    calls: pl.DataFrame = field(default_factory=lambda: rows("calls_hourly"))
    incidents: pl.DataFrame = field(
        default_factory=lambda: rows(
            "incidents",
            {"incident_id": "INC-1", "service": "cart", "started_at": NOON,
             "mitigated_at": NOON + timedelta(hours=1), "cause": "unknown"},
            {"incident_id": "INC-9", "service": "stock", "started_at": NOON,
             "mitigated_at": NOON + timedelta(hours=1), "cause": "unknown"},
        )
    )  # fmt: skip

    def query(self, name: str, *, period: Period, services: Sequence[str]) -> pl.DataFrame:
        assert services, "no services would ask for all of them"
        self.asked.append((name, tuple(services)))
        match name:
            case "slo/minutes":
                other = minutes(SERVED, 90, 0).with_columns(definition=pl.lit("an older one"))
                return pl.concat([minutes(SERVED, 1, 20), minutes(FAST, 2, 0), other])
            case "oncall/incidents":
                return self.incidents.filter(pl.col("service").is_in(list(services)))
            case "calls/hours":
                return self.calls
            case "errors/hours":
                return rows("errors_hourly")
            case "latency/hours":
                return rows("requests_hourly")
        return rows("deployments")


def explaining(fleet: Fleet) -> Explaining:
    return Explaining(fleet, ABOUT, PERIOD)  # type: ignore[arg-type]


def test_minutes_of_another_definition_are_not_counted() -> None:
    found = explaining(Fleet()).by_cause(SERVED, 1.0)
    # 7 days of one bad request a minute, and an hour of 20 more
    assert found.filter(pl.col("bad_count") > 0).select("cause", "bad_count").rows() == [
        ("INC-1", 1200), (BACKGROUND, 10_080),
    ]  # fmt: skip


def test_excluded_minutes_are_nobodys() -> None:
    upkeep = Exclusion(
        name="upkeep", display_name=None, reason="New disks",
        starts=NOON.replace(tzinfo=None), lasts=timedelta(hours=1), recurrence=None,
        skipped=frozenset(), zone="UTC", condition=None, services=("cart",), objectives=(),
        source="upkeep.yaml",
    )  # fmt: skip
    fleet = Fleet(exclusions=[upkeep])
    found = explaining(fleet).by_cause(SERVED, 1.0)
    assert dict(found.select("cause", "bad_count").iter_rows())[BACKGROUND] == 10_080 - 60
    assert found["bad_count"].sum() == 10_080 - 60
    assert explaining(fleet).by("hour of the week", SERVED, 1.0)["bad_count"].sum() == 10_080 - 60


def test_dependencies_are_those_that_calls_name() -> None:
    fleet = Fleet()
    assert explaining(fleet).dependencies.is_empty()
    assert ("oncall/incidents", ("stock",)) not in fleet.asked
    call = {"hour": NOON, "service": "cart", "upstream": "stock", "region": "eu", "call_count": 9,
            "error_count": 0, "retry_count": 0, "latency": []}  # fmt: skip
    fleet = Fleet(
        calls=rows("calls_hourly", call, call | {"upstream": "cart"}),
        incidents=Fleet().incidents.filter(pl.col("service") == "stock"),
    )
    found = explaining(fleet).by_cause(FAST, 1.0)
    assert ("oncall/incidents", ("stock",)) in fleet.asked
    assert found["bad_count"].to_list() == [20_160, 0]  # it did no harm


def test_each_part_is_fetched_once() -> None:
    fleet = Fleet()
    one = explaining(fleet)
    for dimension in ("endpoint", "error", "upstream"):
        one.by(dimension, SERVED, 1.0)
        one.by(dimension, FAST, 1.0)
    assert sorted(name for name, _ in fleet.asked) == [
        "calls/hours", "errors/hours", "latency/hours", "slo/minutes",
    ]  # fmt: skip


def test_what_a_composite_spent_is_divided_by_weight_and_burn() -> None:
    found = explaining(Fleet()).by_cause(BOTH, 0.8)
    assert found.select("cause", "bad_count").rows() == [
        ("INC-1", 1200), (BACKGROUND, 10_080 + 20_160), ("unattributed", 0),
    ]  # fmt: skip
    # Of 1,008,000 requests each and 1 % of budget the one burns 11,280 / 10,080 = 1.119 and the
    # other 20,160 / 10,080 = 2, three times: 6. Of 0.8 the first has 0.8 × 1.119 / 7.119 = 0.1257,
    # of which the incident made 1,200 of 11,280: 0.01338.
    assert found["spent"].sum() == pytest.approx(0.8)
    assert found["spent"][0] == pytest.approx(0.8 * 1.119047619 / 7.119047619 * 1200 / 11_280)
    assert found["share"].to_list() == pytest.approx([s / 0.8 for s in found["spent"]])
    assert found["first"][0] == NOON


def test_a_composite_broken_down_keeps_its_order() -> None:
    hours = explaining(Fleet()).by("hour of the week", BOTH, 0.8)
    assert hours.height == 7 * 24
    assert hours["value"][0] == "Mon 00:00"
    assert hours["value"][-1] == "Sun 23:00"
    # 60 minutes of 1 and 2 bad requests of 100 each
    assert hours.row(0)[1:3] == (180, 12_000)
    assert hours["spent"].sum() == pytest.approx(0.8)


def test_a_composite_that_spent_nothing_has_no_shares() -> None:
    found = explaining(Fleet()).by_cause(BOTH, None)
    assert found["spent"].null_count() == found["share"].null_count() == found.height
