"""Each source mapping asked on DuckDB and on Google's own implementation of GoogleSQL."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.sources import Source, read_source
from fleetslo.warehouse.types import Type

# The reference implementation, compiled once for all tests, is the queries' own.
sys.path.append(str(Path(__file__).parents[1]))

Row = dict[str, Any]
Ask = Callable[..., list[Row]]


def _on_duckdb(source: Source, rows: list[Row], values: Row, folder: Path) -> pl.DataFrame:
    schema = {name: kind.polars for name, kind in source.reads.items()}
    file = folder / "raw.parquet"
    pl.DataFrame(
        [[row.get(name) for name in schema] for row in rows], schema, orient="row"
    ).write_parquet(file)
    return source.rows([file], values)


def _literal(value: Any, kind: Type) -> str:
    if value is None:
        return f"CAST(NULL AS {kind})"
    if kind.element is not None:
        return f"CAST([{', '.join(_literal(one, kind.element) for one in value)}] AS {kind})"
    if kind.kind == "TIMESTAMP":
        return f"TIMESTAMP '{value.isoformat()}'"
    return f"CAST({value!r} AS {kind})"


def _on_googlesql(source: Source, rows: list[Row], values: Row, folder: Path) -> pl.DataFrame:
    """Run the SQL as it is written, with the rows as a CTE ``raw`` and the values as literals."""
    from zetasql.api import CatalogBuilder, PreparedQuery
    from zetasql.types import AnalyzerOptions, LanguageOptions, ZetaSQLBuiltinFunctionOptions

    features = LanguageOptions.maximum_features()
    functions = ZetaSQLBuiltinFunctionOptions(language_options=features)
    sql = source.sql
    for name, value in source.values(values).items():
        sql = sql.replace(f"@{name}", _literal(value, source.parameters[name].type))
    struct = ", ".join(f"`{name}` {kind}" for name, kind in source.reads.items())
    tuples = ", ".join(
        f"({', '.join(_literal(row.get(name), kind) for name, kind in source.reads.items())})"
        for row in rows
    )
    raw = f"WITH raw AS (SELECT * FROM UNNEST(ARRAY<STRUCT<{struct}>>[{tuples}]))"
    sql = sql.replace("WITH ", f"{raw}, ", 1) if "\nWITH " in sql else f"{raw}\n{sql}"
    with (
        PreparedQuery.builder()
        .set_sql(f"SELECT TO_JSON_STRING(answer) FROM (\n{sql}\n) AS answer")
        .set_analyzer_options(AnalyzerOptions(language_options=features))
        .set_catalog(CatalogBuilder("raw").with_builtin_functions(functions).build())
        .prepare()
    ) as query:
        answers = [
            json.loads(row.cell[0].string_value) for row in query.execute().content.table_data.row
        ]
    types = {column.name: column.type for column in contract(source.fills).columns}
    columns = {
        name: pl.Series(
            [_read(answer[name], types[name]) for answer in answers], dtype=types[name].polars
        )
        for name in answers[0]
    }
    return contract(source.fills).cast(pl.DataFrame(columns))


def _read(value: Any, kind: Type) -> Any:
    """Return a value of TO_JSON_STRING, which quotes instants."""
    return datetime.fromisoformat(value) if kind.kind == "TIMESTAMP" and value else value


@pytest.fixture(params=["duckdb", "googlesql"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Return a function (source, rows, **parameters) -> rows of the table, sorted by grain."""
    if request.param == "googlesql":
        pytest.importorskip("zetasql", reason="zetasql is not installed")
        from reference_engine import Reference

        Reference({}, Path(request.config.cache.mkdir("zetasql")))
    run = {"duckdb": _on_duckdb, "googlesql": _on_googlesql}[request.param]

    def asked(name: str, rows: list[Row], **values: Any) -> list[Row]:
        source = read_source(name)
        grain = contract(source.fills).grain
        return run(source, rows, values, tmp_path).sort(grain).to_dicts()

    return asked
