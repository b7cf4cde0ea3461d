"""DuckDB in process: connections, tables over Parquet files, and its errors in our words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import uuid4

import duckdb

from fleetslo.errors import DataFileError, FleetsloError, OutputError, WarehouseError
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.layout import ROW_GROUP_ROWS

# What one process may hold in memory before DuckDB spills to disk: two workers and their frames
# stay under the 2 GiB of a batch.
MEMORY_LIMIT = "700MB"

_FILE = re.compile(r"""["']([^"']+\.(?:parquet|csv|csv\.gz|ndjson|jsonl)(?:\.gz)?)["']""")
_CSV_LINE = re.compile(
    r"CSV Error on Line: (\d+)\s+Original Line: (.*)\s+"
    r"Expected Number of Columns: (\d+) Found: (\d+)"
)
_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_DISK = re.compile(r"(?i)no space left|disk quota|permission denied|read-only file system")


def quoted(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """Return a text as a SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def listed(names: Iterable[str]) -> str:
    """Return identifiers quoted and separated by commas."""
    return ", ".join(quoted(name) for name in names)


def database(spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory.

    Args:
        spill: the folder for what does not fit in memory; None means one among the system's
            temporary files. DuckDB makes it when it is needed and takes it away.
    """
    if spill is None:
        spill = Path(gettempdir()) / f"fleetslo-{uuid4().hex[:12]}"
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(spill),
            # Our files are local and mostly in memory: reading them asynchronously would cost
            # eight threads a database, and DuckDB 2.0 can hang there (its issue 23885).
            "async_threads": 0,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


@contextmanager
def session(held: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Hold a session of a database, in UTC; its temporary views are nobody else's."""
    connection = held.cursor()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def connected(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Hold a connection to a database of its own, in UTC; see ``database``."""
    held = database(spill)
    try:
        with session(held) as connection:
            yield connection
    finally:
        held.close()


def answer(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT.

    The empty parameters matter: with them Ctrl-C stops the statement, without them DuckDB hears
    of it when it is done.
    """
    return list(connection.execute(select, []).fetchall())


@contextmanager
def explained(what: str, file: str | Path | None = None) -> Iterator[None]:
    """Turn DuckDB's errors into ours.

    Args:
        what: what was being done, for messages: ``query slo/days``.
        file: the one file that was being read, if it was one.

    Raises:
        DataFileError: a file is cut short or damaged.
        OutputError: the disk is full or not to be written to.
        WarehouseError: anything else.
    """
    try:
        yield
    except FleetsloError:
        raise
    except RuntimeError as error:
        # DuckDB says so when Ctrl-C meets a running statement.
        if "interrupted" in str(error):
            raise KeyboardInterrupt from error
        raise
    except duckdb.Error as error:
        text = str(error)
        first = _KIND.sub("", text.partition("\n")[0])
        if _DISK.search(text):
            raise OutputError(f"{what}: cannot write: {first}") from error
        if line := _CSV_LINE.search(text):
            raise DataFileError(
                f"{file or what}: line {line[1]} has {line[4]} fields and the header {line[3]}: "
                f"{line[2][:60]!r}"
            ) from error
        if file is None and (named := _FILE.search(text)):
            file = named[1]
        if file is not None:
            raise DataFileError(
                f"{file}: cut short or damaged ({first}); fetch it again from its source"
            ) from error
        raise WarehouseError(f"{what}: {first}") from error


# Errors that say something about the SQL or the machine, never about a file.
_NOT_OF_A_FILE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.OutOfMemoryException,
    duckdb.InterruptException,
)


@contextmanager
def refuse_damaged(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> Iterator[None]:
    """Find which file is damaged where an error of DuckDB does not say.

    Raises:
        DataFileError: names the file; any other error passes.
    """
    try:
        yield
    except (duckdb.Error, WarehouseError) as error:
        cause = error if isinstance(error, duckdb.Error) else error.__cause__
        if not isinstance(cause, duckdb.Error) or isinstance(error, DataFileError):
            raise
        for path in files if not isinstance(cause, _NOT_OF_A_FILE) else ():
            _read_whole(connection, path)
        raise


def _read_whole(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        rows = f"read_parquet({literal(path)}, hive_partitioning = false) AS rows"
        answer(connection, f"SELECT max(hash(rows)) FROM {rows}")
    except duckdb.Error as error:
        first = _KIND.sub("", str(error).partition("\n")[0])
        raise DataFileError(
            f"{path}: cut short or damaged ({first}); fetch it again from its source"
        ) from error


def stored(contract: Contract, files: Sequence[Path]) -> str:
    """Return a SELECT of a table's rows from its files: typed, and empty where there are none."""
    if not files:
        nothing = ", ".join(
            f"CAST(NULL AS {column.type.duckdb}) AS {quoted(column.name)}"
            for column in contract.columns
        )
        return f"SELECT {nothing} WHERE false"
    paths = ", ".join(literal(path) for path in files)
    columns = listed(contract.by_name)
    return f"SELECT {columns} FROM read_parquet([{paths}], hive_partitioning = false)"


def write_parquet(connection: duckdb.DuckDBPyConnection, select: str, file: Path) -> None:
    """Write the rows of a SELECT to one Parquet file, as the warehouse keeps them."""
    connection.execute(
        f"COPY ({select}) TO {literal(file)} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    )


def same_grain(contract: Contract, left: str, right: str) -> str:
    """Return the condition that two rows have the same grain; null equals null."""
    return " AND ".join(
        f"{left}.{quoted(name)} IS NOT DISTINCT FROM {right}.{quoted(name)}"
        for name in contract.grain
    )
