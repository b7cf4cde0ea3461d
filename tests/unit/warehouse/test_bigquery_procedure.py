"""The procedure that rolls up inside BigQuery: its text under Google's analyser, and its work."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.loopback import Server
from tests.queries.reference_engine import Reference

from fleetslo.cli import run
from fleetslo.errors import UsageError
from fleetslo.warehouse.bigquery.procedure import bodies, procedure
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract, read_contracts
from fleetslo.warehouse.measures import Measure

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
MEASURES = [
    Measure("faults", "d1", ("cart", "it's @home"), requests="all", endpoints=("GET *",)),
    Measure("fast", "d2", ("cart",), requests="successful", within_s=0.5),
    Measure("lag", "d3", ("queue",), sli="lag"),
]


@pytest.mark.xdist_group("reference")
def test_it_is_one_statement_of_googlesql(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("zetasql", reason="the reference implementation is not installed")
    from zetasql.api import CatalogBuilder
    from zetasql.types import AnalyzerOptions, LanguageOptions, ResolvedNodeKind

    assert request.config.cache is not None
    reference = Reference(read_contracts(), Path(request.config.cache.mkdir("zetasql")))
    language = LanguageOptions.maximum_features()
    language.supported_statement_kinds = [
        kind for kind in ResolvedNodeKind if kind.name.endswith("_STMT")
    ]
    catalog = CatalogBuilder("dataset").with_builtin_functions(reference.functions).build()
    text = procedure("project.reliability", MEASURES)
    found = reference.service.analyze(
        sql_statement=text,
        options=AnalyzerOptions(language_options=language),
        simple_catalog=catalog,
    )
    assert "ResolvedCreateProcedureStmt" in type(found.resolved_statement).__name__ + str(
        found.resolved_statement
    )
    assert text.count("MERGE ") == 5 + 3  # five sums, three selectors
    assert not re.search(r"@(start|end|services|requests|sli)\b", text)


def minutes() -> pl.DataFrame:
    rows = [
        {
            "minute": FIRST + timedelta(minutes=n),
            "service": service,
            "endpoint": endpoint,
            "region": "eu",
            "version": "1",
            "request_count": 10 + n,
            "error_count": n % 3,
            "duration_sum_s": 1.0,
            "latency": [{"bucket": -40, "count": 5}, {"bucket": 3, "count": 2}],
            "quality": "exact",
            "observed_count": 10 + n,
        }
        for n in range(0, 2000, 61)
        for service in ("cart", "it's @home")
        for endpoint in ("GET /", "POST /")
    ]
    return pl.DataFrame(rows, schema=contract("requests").schema)


def filled(name: str, folder: Path) -> BigQueryWarehouse:
    warehouse = BigQueryWarehouse(f"bigquery://p/{name}{uuid4().hex}")
    warehouse.create()
    file = folder / f"{name}.parquet"
    minutes().write_parquet(file)
    warehouse.load("requests", [file])
    return warehouse


def stored(warehouse: BigQueryWarehouse, table: str) -> pl.DataFrame:
    of = contract(table)
    sql = f"SELECT * FROM {table} WHERE {of.partition} >= TIMESTAMP '2026-01-01'"
    return of.cast(warehouse.asker.answer(sql, [], "stored")).sort(of.grain)


@pytest.mark.long
def test_its_statements_do_what_the_command_does(
    loopback: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    one, other = filled("one", tmp_path), filled("other", tmp_path)
    one.rollup(MEASURES)
    for _ in range(2):  # a call again changes nothing
        for statement in bodies(MEASURES):
            # the server runs no scripts with variables: the two bounds are written out
            bounds = {"bound_start": FIRST, "bound_end": FIRST + timedelta(days=3)}
            for name, at in bounds.items():
                statement = statement.replace(name, f"TIMESTAMP '{at:%Y-%m-%d}'")
            other.asker.do(statement, [], "procedure")
    for table in ("requests_hourly", "requests_daily", "slo_minutes"):
        assert stored(one, table).height > 0
        assert_frame_equal(stored(one, table), stored(other, table))


@pytest.mark.long
def test_hours_of_which_few_minutes_are_kept_stand(
    loopback: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    place = filled("kept", tmp_path)
    hour = minutes().head(1).rename({"minute": "hour"}).with_columns(request_count=10_000)
    file = tmp_path / "hours.parquet"
    hour.write_parquet(file)
    place.load("requests_hourly", [file])
    for statement in bodies([]):
        for name, at in {"bound_start": FIRST, "bound_end": FIRST + timedelta(days=3)}.items():
            statement = statement.replace(name, f"TIMESTAMP '{at:%Y-%m-%d}'")
        place.asker.do(statement, [], "procedure")
    first = stored(place, "requests_hourly").filter(service="cart", hour=FIRST)
    assert first["request_count"].to_list() == [10_000]


def test_a_folder_has_no_procedures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    address = f"duckdb://{tmp_path / 'warehouse'}"
    assert run(["warehouse", "create", "--warehouse", address]) == 0
    assert run(["warehouse", "rollup", "--sql", "--warehouse", address]) == UsageError.exit_code
    assert "--sql and --install are for bigquery:// only" in capsys.readouterr().err
