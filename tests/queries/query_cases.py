"""Cases of queries: a folder each, with readable rows in and the rows that must come back.

::

    cases/slo-days/case.yaml           query, parameters
    cases/slo-days/slo_minutes.yaml    always: columns that every row shares; rows: the rest
    cases/slo-days/expected.yaml       the answer, with the arithmetic in comments

A folder may hold more than one case: ``case.yaml`` is a list, and ``expected.yaml`` a mapping by
the cases' names. Instants are UTC. A histogram is written ``{bucket: count, …}``.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from fleetslo.warehouse.contracts import Column, contract
from fleetslo.warehouse.queries import Query, read_query
from fleetslo.warehouse.types import Type

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One question over a few rows, and its answer."""

    name: str
    query: Query
    parameters: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    expected: pl.DataFrame

    def rows(self, table: str) -> pl.DataFrame:
        """Return the rows of a table; none where the case does not mention it."""
        found = self.tables.get(table)
        return pl.DataFrame(schema=contract(table).schema) if found is None else found


def value(kind: Type, given: Any) -> Any:
    """Return what a case's YAML writes as a value of a type."""
    if given is None:
        return None
    if kind.is_histogram:
        return [{"bucket": bucket, "count": count} for bucket, count in given.items()]
    if kind.element is not None:
        return [value(kind.element, each) for each in given]
    if kind.kind == "TIMESTAMP":
        if isinstance(given, datetime):
            return given.replace(tzinfo=UTC) if given.tzinfo is None else given
        assert isinstance(given, date), f"{given!r} is no instant"
        return datetime(given.year, given.month, given.day, tzinfo=UTC)
    return given


def frame(columns: tuple[Column, ...], given: Any) -> pl.DataFrame:
    """Return the rows that a case's YAML writes, with all columns of the contract."""
    always, rows = given.get("always", {}), given.get("rows") or []
    known = {column.name for column in columns}
    for row in rows:
        assert (always | row).keys() <= known, f"{row} has columns beside {known}"
    return pl.DataFrame(
        [
            {column.name: value(column.type, (always | row).get(column.name)) for column in columns}
            for row in rows
        ],
        schema={column.name: column.type.polars for column in columns},
    )


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def cases() -> list[Case]:
    """Return every case, in the order of the folders."""
    found = []
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        tables = {
            path.stem: frame(contract(path.stem).columns, _read(path))
            for path in sorted(folder.glob("*.yaml"))
            if path.stem not in ("case", "expected")
        }
        expected = _read(folder / "expected.yaml")
        for given in _read(folder / "case.yaml"):
            query = read_query(given["query"])
            parameters = {
                name: value(query.parameters[name], text)
                for name, text in given["parameters"].items()
            }
            answer = frame(query.columns, expected[given["name"]])
            name = f"{folder.name}: {given['name']}"
            found.append(Case(name, query, parameters, tables, query.cast(answer)))
    return found
