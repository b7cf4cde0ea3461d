"""Every statement that making, filling and checking a dataset sends, under Google's analyser.

The loopback server reads more than GoogleSQL, and other words; the analyser does not.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from google.cloud import bigquery
from tests.loopback import Server

from fleetslo.errors import ContractError
from fleetslo.warehouse.bigquery import books, rolled
from fleetslo.warehouse.bigquery.filling import load_rows
from fleetslo.warehouse.bigquery.steps import steps
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import Column, Contract, contract, read_contracts
from fleetslo.warehouse.measures import Measure
from fleetslo.warehouse.types import Type

pytest.importorskip("zetasql", reason="the reference implementation is not installed")

from tests.queries.reference_engine import Reference, _type
from zetasql.api import CatalogBuilder, TableBuilder
from zetasql.types import AnalyzerOptions, LanguageOptions, ResolvedNodeKind

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
_STAGED = re.compile(r"`(\w+)` (ARRAY<STRUCT<[^`]*>>|\w+)")
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|MERGE|USING|TABLE)\s+([a-z]\w*)")


class Recording:
    """Google's client, with each statement that goes through it and the types of its parameters."""

    def __init__(self, client: bigquery.Client) -> None:
        self.client = client
        self.sent: dict[str, dict[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def query(self, sql: str, job_config: bigquery.QueryJobConfig, **how: Any) -> Any:
        self.sent[sql] = {
            one.name: f"ARRAY<{one.array_type}>"
            if isinstance(one, bigquery.ArrayQueryParameter)
            else one.type_
            for one in job_config.query_parameters
        }
        return self.client.query(sql, job_config=job_config, **how)


def rows(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table with something in each column, but for what is given."""
    fills = {"STRING": "x", "INT64": 1, "FLOAT64": 1.0, "BOOL": True, "TIMESTAMP": NOON}
    usual = {
        column.name: None if column.nullable else fills.get(column.type.kind, [])
        for column in contract(table).columns
    }
    frame = pl.DataFrame([usual | one for one in given], schema=contract(table).schema)
    return frame.with_columns(quality=pl.lit("exact")) if "quality" in usual else frame


def work(place: BigQueryWarehouse, folder: Path) -> None:
    """Make a dataset, load into it twice, from files and SELECTs, and check it full of faults."""
    place.create()
    later = NOON + timedelta(minutes=1)
    for table, grains in {
        "services": ({}, {"service": "other"}),
        "requests": ({}, {"minute": later}),
        "errors": ({}, {"minute": later}),
        "incidents": ({"cause": "unknown"}, {"cause": "unknown", "incident_id": "other"}),
    }.items():
        for n in (1, 2):
            file = folder / f"{table}-{n}.parquet"
            rows(table, *grains[:n]).write_parquet(file)
            place.load(table, [file])
    coarse = folder / "coarse.parquet"
    rows("requests", {"service": "b"}).write_parquet(coarse)
    place.load("requests", [coarse], step=timedelta(minutes=5))
    start = [bigquery.ScalarQueryParameter("start", "TIMESTAMP", NOON)]
    sound = (
        "SELECT @start AS minute, name AS service, '' AS endpoint, '' AS region, '' AS version, "
        "2.0 AS request_count, bad AS error_count, 'exact' AS quality, 2 AS observed_count "
        "FROM UNNEST(['a', 'b']) AS name CROSS JOIN UNNEST([0]) AS bad"
    )
    load_rows(place, contract("requests"), sound, start, "test")
    for was, becomes in (("[0]", "[0, 1]"), ("[0]", "[7]")):
        with pytest.raises(ContractError):
            load_rows(place, contract("requests"), sound.replace(was, becomes), start, "test")
    for table in read_contracts():  # every row twice
        bound = contract(table).partition
        where = f"WHERE {bound} > TIMESTAMP '2000-01-01'" if bound else "WHERE TRUE"
        names = ", ".join(contract(table).by_name)
        place.client.query(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} {where}",
            bigquery.QueryJobConfig(default_dataset=place.dataset_id),
        ).result()
    place.rollup(
        [
            Measure("faults", "d1", ("x",), requests="all"),
            Measure("fast", "d2", ("x",), requests="successful", within_s=0.5),
            Measure("lag", "d3", ("x",), sli="x"),
        ]
    )
    place.rollup([Measure("faults", "d4", ("x",), requests="all")])
    place.check(NOON + timedelta(days=9))
    place.describe()
    place.complete_until()
    steps(place, "requests", NOON, NOON + timedelta(days=1))
    lost = bigquery.Table(f"{place.dataset_id}.calls", [
        bigquery.SchemaField("minute", "TIMESTAMP", "REQUIRED"),
        bigquery.SchemaField("duration_sum_s", "FLOAT64", "REQUIRED"),
    ])  # fmt: skip
    place.client.delete_table(lost)
    place.client.create_table(lost)
    place.migrate()


def columns(name: str, created: dict[str, str]) -> Iterable[Column]:
    """The columns of a table that a statement names."""
    known: dict[str, Contract] = {
        **read_contracts(),
        books.LOADS.table: books.LOADS,
        rolled.ROLLED.table: rolled.ROLLED,
    }
    if name.startswith("fleetslo_counted_"):
        return contract("slo_minutes").columns
    if name in known:
        return known[name].columns
    return [Column(word, Type.parse(kind)) for word, kind in _STAGED.findall(created.get(name, ""))]


@pytest.mark.xdist_group("reference")
@pytest.mark.timeout(900)
@pytest.mark.long
def test_every_statement_is_googlesql(
    loopback: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    client = Recording(loopback.client)
    work(BigQueryWarehouse(f"bigquery://p/s{uuid4().hex}", client), tmp_path)  # type: ignore[arg-type]
    sent = {sql: of for sql, of in client.sent.items() if "INFORMATION_SCHEMA" not in sql}
    created = {found[1]: sql for sql in sent if (found := re.match(r"CREATE TABLE (\w+) \(", sql))}
    books_of = ("loads", "staging", "rolled", "counted")
    for verb in ("MERGE", "ALTER", *(f"INSERT INTO fleetslo_{book}" for book in books_of)):
        assert any(sql.startswith(verb) for sql in sent), verb
    assert any("LEAD(valid_from)" in sql for sql in sent)
    assert any("HAVING COUNT(*) > 1" in sql for sql in sent)
    assert request.config.cache is not None
    reference = Reference(read_contracts(), Path(request.config.cache.mkdir("zetasql")))
    language = LanguageOptions.maximum_features()
    language.supported_statement_kinds = [
        kind for kind in ResolvedNodeKind if kind.name.endswith("_STMT")
    ]
    for sql, parameters in sent.items():
        catalog = CatalogBuilder("dataset").with_builtin_functions(reference.functions)
        for name in set(_TABLE.findall(sql)):
            if sql != created.get(name):
                table = TableBuilder(name)
                for column in columns(name, created):
                    table.add_column(column.name, _type(column.type))
                catalog.add_table(table.build())
        options = AnalyzerOptions(
            language_options=language,
            default_timezone="UTC",
            query_parameters=[
                AnalyzerOptions.QueryParameter(name=name, type=_type(Type.parse(kind)))
                for name, kind in parameters.items()
            ],
        )
        # an error of the analyser says what is wrong, and pytest shows the statement beside it
        found = reference.service.analyze(
            sql_statement=sql, options=options, simple_catalog=catalog.build()
        )
        assert found.resolved_statement is not None, sql
