"""Each source mapping asked on DuckDB, on Google's own GoogleSQL and on a server on loopback."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.sources import Source, read_source

# What the queries' own tests use.
sys.path.append(str(Path(__file__).parents[1]))

from mapped_sources import mapped, raw_rows

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
Run = Callable[[Source, pl.DataFrame, Row], pl.DataFrame]


def _on_duckdb(request: pytest.FixtureRequest) -> Run:
    file = request.getfixturevalue("tmp_path") / "raw.parquet"

    def run(source: Source, raw: pl.DataFrame, values: Row) -> pl.DataFrame:
        raw.write_parquet(file)
        return source.rows([file], values)

    return run


def _on_googlesql(request: pytest.FixtureRequest) -> Run:
    pytest.importorskip("zetasql", reason="the reference implementation is not installed")
    from reference_engine import Reference

    cache = Path(request.config.cache.mkdir("zetasql"))

    def run(source: Source, raw: pl.DataFrame, values: Row) -> pl.DataFrame:
        query, reads = mapped(source)
        reference = Reference({"raw": reads}, cache)
        return reference.ask(query, {"raw": raw}, source.values(values))

    return run


def _on_loopback(request: pytest.FixtureRequest) -> Run:
    client = request.getfixturevalue("loopback").client
    from loopback_engine import Loopback

    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")

    def run(source: Source, raw: pl.DataFrame, values: Row) -> pl.DataFrame:
        query, reads = mapped(source)
        dataset = re.sub(r"\W", "_", f"{source.name}_{worker}")
        server = Loopback(client, {"raw": reads}, dataset)
        return server.ask(query, {"raw": raw}, source.values(values))

    return run


ENGINES = {"duckdb": _on_duckdb, "googlesql": _on_googlesql, "loopback": _on_loopback}
# One process compiles GoogleSQL's module, see reference_engine.
_LONG = [pytest.mark.long, pytest.mark.xdist_group("reference")]


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name == "duckdb" else _LONG) for name in ENGINES]
)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return a function (source, rows, **parameters) -> rows of the table, sorted by grain."""
    run = ENGINES[request.param](request)

    def asked(name: str, rows: list[Row], **values: Any) -> list[Row]:
        source = read_source(name)
        of = contract(source.fills)
        answer = of.cast(run(source, raw_rows(source, rows), values))
        return answer.sort(of.grain).to_dicts()

    return asked
