"""The files that a source maps, read as one table with the types that its YAML declares."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from fleetslo.errors import ContractError, DataFileError, nearest
from fleetslo.warehouse.contracts import Column
from fleetslo.warehouse.conversions import converted, raw_name
from fleetslo.warehouse.engine import connected, explained, literal, quoted
from fleetslo.warehouse.reading import MARK, NULL, WHOLE_LINE, Opened, fault, opened
from fleetslo.warehouse.types import Type


def read_raw(files: Sequence[Path], columns: Mapping[str, Type]) -> pl.DataFrame:
    """Return the rows of all files in order, with the declared columns and types.

    Other columns of the files are left unread. Any value may be null; an empty field of a CSV
    file is.

    Args:
        files: CSV, NDJSON or Parquet, one at least.
        columns: name to type.

    Raises:
        DataFileError: a file is missing, damaged or of an unknown kind, lacks a column, or holds
            a value of another type; the message names file, row, column, value and why.
    """
    if not files:
        raise DataFileError("there is no file to read; name one at least")
    with connected() as connection:
        return pl.concat([_read(connection, path, columns) for path in files])


def _read(
    connection: duckdb.DuckDBPyConnection, path: Path, columns: Mapping[str, Type]
) -> pl.DataFrame:
    rows = opened(connection, path, columns)
    for name in columns:
        if name not in rows.types:
            raise DataFileError(
                f"{path}: column {name!r} is missing.{nearest(name, list(rows.types))} "
                f"It has: {', '.join(rows.types)}"
            )
    with explained(f"reading {path}", path):
        read: pl.DataFrame = connection.sql(_typed(path, rows, columns)).pl()
    wrong = read.filter(pl.col("fault").is_not_null())
    if wrong.height:
        row, text = wrong.select("row number", "fault").row(0)
        column, value, why = text.split(MARK)
        named = f"column {column!r} is {value!r}" if value != NULL else f"column {column!r}"
        others = f" (and {wrong.height - 1:,} more)" if wrong.height > 1 else ""
        raise DataFileError(f"{path}: row {row:,}: {named}: {why}{others}")
    return read.select(list(columns))


def _typed(path: Path, rows: Opened, columns: Mapping[str, Type]) -> str:
    """Return SQL for the row number, what is wrong with the row, and its values."""
    raws, values = [], []
    # Keys that the source does not name are no fault; a line that is no object is.
    faults = [f"CASE WHEN starts_with(broken, {literal(WHOLE_LINE)}) THEN broken END"]
    for name, kind in columns.items():
        raw, csv = raw_name(name), rows.kind == "csv"
        column = Column(name, kind, nullable=True)
        try:
            conversion = converted(str(path), column, raw, rows.types[name], from_csv=csv)
        except ContractError as error:
            raise DataFileError(str(error)) from None
        raws.append(f"{quoted(name)} AS {raw}")
        values.append(f"{conversion.value} AS {quoted(name)}")
        lost = f"{conversion.value} IS NULL AND {raw} IS NOT NULL"
        faults.append(f"CASE WHEN {lost} THEN {fault(literal(name), raw, conversion.why)} END")
    return (
        f'SELECT "row number", coalesce({", ".join(faults)}) AS fault, {", ".join(values)} '
        f'FROM (SELECT "row number", broken, {", ".join(raws)} FROM ({rows.select})) '
        'ORDER BY "row number"'
    )
