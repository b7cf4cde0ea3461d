"""What a batch judges once is what each page would have judged for itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from fleetslo import fleet as fleets
from fleetslo.fleet import Fleet
from fleetslo.periods import Period
from fleetslo.settings import load_settings
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.extracts import Extracts, extracted


@pytest.fixture
def extracts(tiny: Path, tmp_path: Path) -> Iterator[Extracts]:
    warehouse = open_warehouse(load_settings({}).settings.warehouse)
    with extracted(tmp_path, warehouse, "run") as batch:
        yield batch


def whole(extracts: Extracts) -> tuple[Fleet, Period, list[str]]:
    fleet = Fleet(load_settings({}).settings, extracts)
    period = fleet.period("7d")
    return fleet, period, fleet.services(period)["service"].to_list()


def test_a_service_is_judged_with_the_fleet_as_it_is_alone(extracts: Extracts) -> None:
    alone, period, services = whole(extracts)
    day_before = Period(period.start - timedelta(days=1), period.end - timedelta(days=1))
    one_by_one = {
        (at, name): alone.judgements(at, [name]) for at in (period, day_before) for name in services
    }
    assert any(frame.height for frame in one_by_one.values())
    everything = alone.judgements(period), alone.services(period)
    extracts.declare({}, serves_many=True)
    together, _, _ = whole(extracts)
    for (at, name), expected in one_by_one.items():
        assert_frame_equal(together.judgements(at, [name]), expected, check_exact=True)
    assert_frame_equal(together.judgements(period), everything[0], check_exact=True)
    assert_frame_equal(together.services(period), everything[1], check_exact=True)


def test_however_many_ask_the_fleet_is_judged_once_a_period(
    extracts: Extracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracts.declare({}, serves_many=True)
    judged: list[object] = []
    real = fleets.judgements

    def counted(fleet, until, known, services):
        judged.append(services)
        return real(fleet, until, known, services)

    monkeypatch.setattr(fleets, "judgements", counted)
    for _ in range(2):  # two notebooks, each with a view of its own
        fleet, period, services = whole(extracts)
        for name in services:
            fleet.judgements(period, [name])
    assert judged == [()]
