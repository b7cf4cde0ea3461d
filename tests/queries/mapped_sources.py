"""Sources as queries over a table ``raw``, so that they run wherever queries do."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import sqlglot

from fleetslo.warehouse.contracts import Column, Contract, contract
from fleetslo.warehouse.queries import Query
from fleetslo.warehouse.sources import Source


def mapped(source: Source) -> tuple[Query, Contract]:
    """Return a source's SQL as a query that answers with rows of its table, and what it reads.

    A source leaves out columns that may be null.
    """
    of = contract(source.fills)
    answered = sqlglot.parse_one(source.sql, read="bigquery").named_selects
    columns = tuple(of.column(name) for name in answered)
    parameters = {name: parameter.type for name, parameter in source.parameters.items()}
    name = f"sources/{source.name}"
    query = Query(name, source.sql, source.says, of.grain, parameters, columns, ("raw",))
    # Any value of a file may be null.
    read = [Column(column, kind, nullable=True) for column, kind in source.reads.items()]
    return query, Contract("raw", source.says, (read[0].name,), tuple(read))


def raw_rows(source: Source, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the table ``raw``; what a row does not name is null."""
    schema = {name: kind.polars for name, kind in source.reads.items()}
    return pl.DataFrame(
        [[row.get(name) for name in schema] for row in rows], schema=schema, orient="row"
    )
