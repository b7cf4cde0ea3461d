"""Files that people hand in: Parquet, CSV and NDJSON, each as a SELECT with numbered rows."""

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb

from fleetslo.errors import DataFileError
from fleetslo.warehouse.engine import explained, listed, literal, quoted

_KINDS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".jsonl": "ndjson",
    ".jsonl.gz": "ndjson",
    ".json": "ndjson",
    ".json.gz": "ndjson",
}

# What is wrong with a row travels through SQL as one text: column, value and why, with a MARK
# between; NULL stands for a value that is not there. Neither occurs in a readable text.
MARK, NULL = "\x1f", "\x1e"
# Stands for the column where a line of NDJSON is no row at all.
WHOLE_LINE = "(the whole line)"
# How much of a refused value is shown.
_SHOWN = 60


def fault(column: str, value: str, why: str) -> str:
    """Return SQL that joins three SQL texts into one fault."""
    shown = f"coalesce(left(CAST({value} AS VARCHAR), {_SHOWN}), chr({ord(NULL)}))"
    return f"concat({column}, chr({ord(MARK)}), {shown}, chr({ord(MARK)}), {why})"


@dataclass(frozen=True)
class Opened:
    """Rows that can be read: ``select`` gives ``row number``, ``broken`` and the named columns.

    ``row number`` counts rows from 1 (lines, in NDJSON; the header of a CSV is not counted);
    ``broken`` is null, or the fault of what is no row at all. ``types`` are the DuckDB types of
    the columns.
    """

    name: str
    kind: str
    select: str
    types: dict[str, str]


def kind_of(path: Path) -> str:
    """Return ``parquet``, ``csv`` or ``ndjson``, by the file's name.

    Raises:
        DataFileError: the file does not exist, or its name says none of these.
    """
    if not path.is_file():
        raise DataFileError(f"{path}: there is no such file")
    for suffix, kind in _KINDS.items():
        if path.name.lower().endswith(suffix):
            return kind
    raise DataFileError(f"{path}: unknown kind of file; name it {', '.join(_KINDS)}")


def opened(connection: duckdb.DuckDBPyConnection, path: Path, wanted: Iterable[str]) -> Opened:
    """Return the rows of a file.

    Args:
        connection: reads the file's schema.
        path: the file.
        wanted: the columns that are looked for in NDJSON, whose lines need not have all of them;
            any other key breaks its line.

    Raises:
        DataFileError: the file is cut short, damaged or of an unknown kind.
    """
    kind = kind_of(path)
    if kind == "parquet":
        return _parquet(connection, path)
    if kind == "csv":
        return _csv(path)
    return _ndjson(path, list(wanted))


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    source = f"read_parquet({literal(path)}, hive_partitioning = false"
    with explained(str(path), path):
        rows = connection.sql(f"DESCRIBE SELECT * FROM {source})").fetchall()
    types = {str(row[0]): str(row[1]) for row in rows}
    select = (
        f'SELECT file_row_number + 1 AS "row number", CAST(NULL AS VARCHAR) AS broken, '
        f"{listed(types)} FROM {source}, file_row_number = true)"
    )
    return Opened(str(path), "parquet", select, types)


def _text(path: Path) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv(path: Path) -> Opened:
    try:
        with _text(path) as file:
            header = next(csv.reader(file), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path}: cut short or damaged: {error}") from None
    names = [name.strip() for name in header]
    if not any(names):
        raise DataFileError(f"{path}: no header; the first line must name the columns")
    for name in names:
        if names.count(name) > 1:
            raise DataFileError(f"{path}: the header names column {name!r} twice")
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    select = (
        f'SELECT row_number() OVER () AS "row number", CAST(NULL AS VARCHAR) AS broken, '
        f"{listed(names)} FROM read_csv({literal(path)}, auto_detect = false, header = true, "
        f"delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})"
    )
    return Opened(str(path), "csv", select, dict.fromkeys(names, "VARCHAR"))


def _ndjson(path: Path, wanted: list[str]) -> Opened:
    paths = ", ".join(literal(f'$."{name}"') for name in wanted)
    columns = ", ".join(
        f"parts[{place}] AS {quoted(name)}" for place, name in enumerate(wanted, start=1)
    )
    known = ", ".join(literal(name) for name in wanted)
    unknown = f"list_filter(json_keys(line), lambda k: k NOT IN ({known}))"
    strange = fault(f"{unknown}[1]", "NULL", literal("is unknown to the contract"))
    no_object = fault(literal(WHOLE_LINE), "line", literal("is not a JSON object"))
    select = (
        "WITH lines AS ("
        'SELECT row_number() OVER () AS "row number", line '
        f"FROM read_csv({literal(path)}, auto_detect = false, header = false, delim = '\x01', "
        "quote = '', escape = '', strict_mode = false, columns = {'line': 'VARCHAR'})"
        "), parted AS ("
        'SELECT "row number", CASE '
        f"WHEN NOT json_valid(line) OR json_type(line) <> 'OBJECT' THEN {no_object} "
        f"WHEN len({unknown}) > 0 THEN {strange} END AS broken, "
        f"TRY(json_extract_string(line, [{paths}])) AS parts "
        "FROM lines WHERE trim(line) <> '') "
        f'SELECT "row number", broken, {columns} FROM parted'
    )
    return Opened(str(path), "ndjson", select, dict.fromkeys(wanted, "VARCHAR"))
