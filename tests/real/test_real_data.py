"""The mappings over the real data sets: counts exact, percentiles given back, faults in their place."""

import re
from pathlib import Path

import polars as pl
import pytest
from real_agreement import (
    BUCKET,
    differences,
    distribution,
    lone_hours,
    nezha_percentiles,
    petshop_percentiles,
    stored_rows,
)
from real_scenarios import (
    FAULTS,
    FRONTEND,
    ISSUES,
    METRICS,
    RELEASES,
    SCENARIOS,
    SPANS,
    data_folder,
    load,
    make_home,
    missing,
    report,
)

from fleetslo.warehouse.sources import read_source

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(missing()), reason=f"real data are missing: {', '.join(missing())}"),
]
TRAFFIC = ("high_traffic", "low_traffic", "temporal_traffic1", "temporal_traffic2")
EVERY = "noissue,train,test"


def rows(source: str, file: str, **parameters: str) -> pl.DataFrame:
    return read_source(source).rows([data_folder() / file], parameters)


@pytest.mark.parametrize("traffic", TRAFFIC)
def test_petshop_keeps_every_row_and_every_request(traffic: str) -> None:
    raw = pl.read_csv(data_folder() / METRICS, infer_schema_length=None).filter(
        pl.col("traffic") == traffic
    )
    # Availability and percentiles are null where nothing was requested, and only there.
    idle = raw.filter(pl.col("requests") == 0)
    assert idle["availability_pct"].null_count() == idle.height == raw["p50_s"].null_count()
    mapped = rows("petshop/requests", METRICS, traffic=traffic, splits=EVERY)
    assert mapped.height == raw.height
    assert mapped["request_count"].sum() == raw["requests"].sum()
    lost = raw.select(pl.col("requests") * (1 - pl.col("availability_pct") / 100)).to_series()
    assert mapped["error_count"].sum() == pytest.approx(lost.sum(), abs=0.5 * raw.height)
    total = pl.col("latency").list.eval(pl.element().struct.field("count")).list.sum()
    successes = pl.col("request_count") - pl.col("error_count")
    assert mapped.filter(total.fill_null(0) != successes).is_empty()


@pytest.mark.parametrize("traffic", TRAFFIC)
def test_petshops_percentiles_come_back_to_one_bucket(traffic: str) -> None:
    own = petshop_percentiles(data_folder() / METRICS).filter(pl.col("traffic") == traffic)
    mapped = rows("petshop/requests", METRICS, traffic=traffic, splits=EVERY)
    found = distribution(differences(mapped, own).filter("enough"))
    assert found["quantile"].to_list() == [0.5, 0.9, 0.95, 0.99]
    assert found["within_a_bucket"].to_list() == [1.0] * 4
    assert found["max"].max() <= BUCKET + 1e-9
    assert found["median"].max() < 0.015


def test_every_injected_issue_is_an_incident() -> None:
    incidents = pl.concat(
        rows("petshop/incidents", ISSUES, traffic=traffic, splits=EVERY) for traffic in TRAFFIC
    )
    # The data set's README: 68 issues, 16 code deployments, 46 changes of configuration, 6 of load.
    causes = dict(incidents["cause"].value_counts().iter_rows())
    assert causes == {"deployment": 16, "configuration": 46, "capacity": 6}
    deployments = pl.concat(
        rows("petshop/deployments", ISSUES, traffic=traffic, splits=EVERY) for traffic in TRAFFIC
    )
    blamed = incidents.drop_nulls("caused_by")["caused_by"].to_list()
    assert sorted(blamed) == sorted(deployments["rollout_id"])


def test_nezha_keeps_every_span_and_says_how_coarse_it_is() -> None:
    raw = pl.read_csv(data_folder() / SPANS, infer_schema_length=None).filter(
        pl.col("span_kind") == "child"
    )
    mapped = rows("nezha/requests", SPANS)
    assert mapped["request_count"].sum() == raw["count"].sum()
    assert mapped["duration_sum_s"].sum() == pytest.approx(raw["sum_us"].sum() / 1e6)
    total = pl.col("latency").list.eval(pl.element().struct.field("count")).list.sum()
    assert mapped.filter(total != pl.col("request_count")).is_empty()
    own = nezha_percentiles(data_folder() / SPANS)
    found = differences(mapped, own).filter("enough", pl.col("own_s") >= 0.001)
    spread = distribution(found)
    # Bounds are up to a factor of 2.5 apart: no quantile is further off, half are within 12 %.
    assert spread["median"].max() < 0.12
    assert spread["max"].max() < 1.5


def test_every_fault_of_nezha_is_an_incident_of_a_known_service() -> None:
    incidents = rows("nezha/incidents", FAULTS)
    services = rows("nezha/services", SPANS)
    assert incidents.height == 101
    assert set(incidents["service"]) <= set(services["service"])
    # Spans were sampled around the faults: the minute of each, or one of the next two, is there.
    minutes = rows("nezha/requests", SPANS).select("minute").unique().sort("minute")
    after = incidents.sort("started_at").join_asof(
        minutes,
        left_on=pl.col("started_at").dt.truncate("1m"),
        right_on="minute",
        strategy="forward",
    )
    late = (after["minute"] - after["started_at"]).dt.total_minutes()
    assert late.is_between(-1, 2).mean() > 0.9


def test_the_load_generator_saw_46_minutes_with_errors() -> None:
    minutes = rows("nezha/sli_events", FRONTEND)
    assert minutes["valid_count"].sum() - minutes["good_count"].sum() == 46


def test_govuk_keeps_every_deployment() -> None:
    deployments = rows("govuk/deployments", RELEASES)
    assert deployments.height == 32_110
    assert deployments["service"].n_unique() == 69
    undone = deployments.filter(pl.col("outcome") == "rolled_back")
    assert undone.height == 316
    # Each one that moved backward names the one before it, and each of those was rolled back.
    assert set(deployments["rollback_of"].drop_nulls()) == set(undone["rollout_id"])


@pytest.mark.long
def test_issues_through_to_their_pages(tmp_path: Path) -> None:
    scenario = SCENARIOS["petshop-issues-temporal-1"]
    folder = tmp_path / scenario.name
    make_home(scenario, folder)
    assert "every check passed" in load(scenario, folder)
    place = f"duckdb://{folder / '.fleetslo' / 'warehouse'}"
    own = petshop_percentiles(data_folder() / METRICS).filter(
        pl.col("traffic") == "temporal_traffic1", pl.col("split") != "noissue"
    )
    for found in (differences(stored_rows(place), own), differences(*lone_hours(place, own))):
        assert found.filter("enough")["difference"].max() <= BUCKET + 1e-9
    index = report(scenario, folder, only=("fleet_overview", "service_slo/PetSite"))
    pages = {page.stem: page.read_text() for page in index.parent.glob("*/**/*.html")}
    assert set(pages) == {"fleet_overview", "petsite-f14eb87a"}
    assert "Eight incidents" in pages["fleet_overview"] or "8 incidents" in pages["fleet_overview"]
    assert "coverage" in pages["petsite-f14eb87a"]


@pytest.mark.long
def test_a_month_of_govuk_on_the_fleets_page(tmp_path: Path) -> None:
    scenario = SCENARIOS["govuk-2024-10"]
    make_home(scenario, tmp_path / "govuk")
    load(scenario, tmp_path / "govuk")
    index = report(scenario, tmp_path / "govuk")
    [page] = index.parent.glob("*/fleet_overview.html")
    # Counted in the file: 1,099 in October 2024, 40 of them rolled back.
    assert re.search(r"40 of 1,099 rollouts were undone or failed", page.read_text())
