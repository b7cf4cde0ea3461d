"""The jobs of a batch on BigQuery: as many for twenty services as for five."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.notebooks.asked_notebooks import batch
from tests.queries.loopback_engine import Loopback

from fleetslo.measuring import objectives_in_force
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import read_contracts

pytestmark = pytest.mark.timeout(600)

END = datetime(2026, 11, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AVAILABILITY = """
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}, displayName: {name}}}
spec:
  service: {service}
  indicator:
    metadata: {{name: served}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: fleetslo, spec: {{requests: successful}}}}}}
        total: {{metricSource: {{type: fleetslo, spec: {{requests: all}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: {method}
"""
OCCURRENCES = "  objectives: [{target: 0.99}]\n"
SLICES = "  objectives: [{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 60m}]\n"
EXCLUDED = """
apiVersion: fleetslo/v1
kind: Exclusion
metadata: {{name: patching-{service}}}
spec:
  reason: agreed
  services: [{service}]
  starts: 2026-10-2{digit} 03:00:00
  lasts: 1h
  timeZone: Etc/UTC
"""


class Dated(BigQueryWarehouse):
    """A dataset that knows how far it reaches: this server cannot say it of its partitions."""

    def complete_until(self) -> datetime:
        return END


def names(count: int) -> list[str]:
    return [f"service-{number:02}" for number in range(count)]


def write_objectives(folder: Path, services: list[str]) -> None:
    """Write objectives that differ from service to service, and exclusions of every third."""
    (folder / "fleetslo.toml").write_text("")
    own = folder / "queries" / "objectives"
    own.mkdir(parents=True)
    for place, service in enumerate(services):
        text = AVAILABILITY.format(name=f"{service}-up", service=service, method="Occurrences")
        documents = [text + OCCURRENCES]
        if place % 2 == 0:
            text = AVAILABILITY.format(
                name=f"{service}-hours", service=service, method="Timeslices"
            )
            documents.append(text + SLICES)
        if place % 3 == 0:
            documents.append(EXCLUDED.format(service=service, digit=place % 10))
        (own / f"{service}.yaml").write_text("\n---\n".join(documents))


def rows(services: list[str]) -> dict[str, pl.DataFrame]:
    """Return the tables of a fleet in which each service failed for an hour of its own."""
    series = {"endpoint": "GET /", "region": "eu", "version": "1"}
    served = {"duration_sum_s": 1.0, "latency": [{"bucket": -40, "count": 90}]}
    definitions = {one.name: one.selector.definition for one in objectives_in_force()}
    times = [END - 70 * DAY + step * 6 * HOUR for step in range(70 * 4)]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in read_contracts()}
    for place, service in enumerate(services):
        about = {"squad": f"squad-{place % 2}", "tier": 2, "valid_from": END - 400 * DAY}
        found["services"].append({"service": service, **about})
        of = {"service": service, **series}
        found["deployments"].append(
            {**of, "deployment_id": service, "rollout_id": service, "outcome": "succeeded",
             "started_at": END - (3 + place % 20) * DAY, "finished_at": END - 2 * DAY}
        )  # fmt: skip
        found["incidents"].append(
            {"incident_id": service, "service": service, "cause": "unknown",
             "started_at": END - (5 + place % 15) * DAY, "resolved_at": END - 4 * DAY}
        )  # fmt: skip
        for number, at in enumerate(times):
            bad = 10 if number % 40 == place else 0
            counts = {"request_count": 100, "error_count": bad, "quality": "exact"}
            found["requests_hourly"].append(
                {**of, "hour": at, **served, **counts, "observed_count": 100}
            )
            found["slo_minutes"] += [
                {"service": service, "objective": objective, "definition": definitions.get(objective, "d"), "minute": at,
                 "good_count": 100 - bad, "valid_count": 100, "uncertain_count": 0}
                for objective in (f"{service}-up", f"{service}-hours")
            ]  # fmt: skip
            if bad:
                found["errors_hourly"].append(
                    {**of, "hour": at, "error": "503", "is_fault": True, "error_count": bad}
                )
            if number % 4 == 0:
                found["requests_daily"].append(
                    {**of, "day": at, **served, **counts, "observed_count": 100}
                )
    return {
        name: pl.DataFrame(found[name], schema=contract.schema, orient="row")
        for name, contract in read_contracts().items()
    }


def jobs_of_a_batch(server: Any, count: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a batch of so many services; return the labels of its jobs, {} for dry runs."""
    services = names(count)
    folder.mkdir()
    write_objectives(folder, services)
    monkeypatch.chdir(folder)
    dataset = Loopback(server.client, read_contracts(), f"batch_of_{count}")
    for table, of in rows(services).items():
        dataset.fill(table, of)
    before = {job.job_id for job in server.client.list_jobs()}
    batch(folder / "home", Dated(f"bigquery://p/batch_of_{count}"))
    done = [job for job in server.client.list_jobs() if job.job_id not in before]
    return [job.labels for job in done]


@pytest.mark.long
def test_a_batch_of_more_services_has_no_more_jobs(
    loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    monkeypatch.setenv("FLEETSLO_COVERAGE_MINIMUM", "0")  # four minutes a day are judged, too
    few = jobs_of_a_batch(loopback, 5, tmp_path / "few", monkeypatch)
    many = jobs_of_a_batch(loopback, 20, tmp_path / "many", monkeypatch)
    assert len(few) == len(many)
    asked = sorted(labels["query"] for labels in few if labels)
    assert asked == sorted(labels["query"] for labels in many if labels)
    assert {labels["run"] for labels in few + many if labels} == {"run"}
    reports = {"reports-fleet_overview", "reports-service_slo", "reports-squad_review"}
    assert {"batch"} < {labels["report"] for labels in few if labels} <= {"batch", *reports}
    # Each of the twenty services' pages asks some twenty questions.
    assert len(asked) < 20 * 20 / 8
