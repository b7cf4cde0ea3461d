"""Answers from the files of a batch: rows of them, or a question asked of another one's rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from fleetslo.warehouse.engine import (
    database,
    explained,
    listed,
    literal,
    quoted,
    refuse_damaged,
    session,
    stored,
)
from fleetslo.warehouse.pieces import files_of
from fleetslo.warehouse.queries import Query, for_duckdb

if TYPE_CHECKING:
    import polars as pl


class Answering:
    """Reads what ``fleetslo.warehouse.kept`` keeps; services empty means all of them."""

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """Opened with the first question: a new one takes longer than many an answer."""
        return database()

    def rows(
        self,
        query: Query,
        folders: Sequence[Path],
        services: Sequence[str],
        times: Mapping[str, datetime],
    ) -> "pl.DataFrame":
        """Return the kept rows of services; ``times`` are the ``start`` and ``end`` to cut at."""
        files = _files(folders, services)
        conditions = _named(query, services)
        if times:
            time = quoted(query.timed_by or "")
            conditions += [f"{time} >= $start", f"{time} < $end"]
        select = f"SELECT {listed(query.contract.by_name)} {_from(query, files, conditions)}"
        with self._reading(query, files) as connection:
            answer: pl.DataFrame = connection.sql(select, params=dict(times)).pl()
        return answer

    def asked_of(
        self, base: Query, folders: Sequence[Path], query: Query, values: Mapping[str, Any]
    ) -> "pl.DataFrame":
        """Return a query's answer, its table being the kept rows of another one."""
        services = values["services"]
        files = _files(folders, services)
        # What reaches into two stretches of days is kept in both.
        columns = ("DISTINCT " if base.lookback else "") + listed(base.contract.by_name)
        rows = f"SELECT {columns} {_from(base, files, _named(base, services))}"
        (table,) = query.tables
        with self._reading(query, files) as connection:
            connection.execute(f"CREATE TEMP VIEW {quoted(table)} AS {rows}")
            answer: pl.DataFrame = connection.sql(for_duckdb(query), params=dict(values)).pl()
        return answer

    @contextmanager
    def _reading(self, query: Query, files: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            session(self._database) as connection,
            refuse_damaged(connection, files),
            explained(f"query {query.name}"),
        ):
            yield connection


def _files(folders: Sequence[Path], services: Sequence[str]) -> list[Path]:
    return [file for folder in folders for file in files_of(folder, services)]


def _from(query: Query, files: Sequence[Path], conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"FROM ({stored(query.contract, files)}){where}"


def _named(query: Query, services: Sequence[str]) -> list[str]:
    """Return the condition that a row is of one of the services, unless that means all."""
    if not services or query.sliced_by is None:
        return []
    return [f"{quoted(query.sliced_by)} IN ({', '.join(map(literal, services))})"]
