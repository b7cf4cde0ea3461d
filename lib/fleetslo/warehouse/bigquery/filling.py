"""Files, and rows that lie in BigQuery already, into tables of a dataset: all of it or nothing.

Rows of files are judged here, as for an embedded warehouse, and travel as Parquet; those of a
SELECT never leave BigQuery. Both wait in a staging table and are laid over what is stored by one
MERGE. The book of loads is written after that: a process that is killed in between leaves rows
that the next try replaces with themselves.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fleetslo.warehouse import loading
from fleetslo.warehouse.base import LoadReport, Progress
from fleetslo.warehouse.bigquery import books, tables
from fleetslo.warehouse.bigquery.asking import label
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.judging import FAULT, Selection
from fleetslo.warehouse.bigquery.merging import Rows, merge, staging
from fleetslo.warehouse.contracts import Contract, contract
from fleetslo.warehouse.engine import answer, connected, listed, literal, quoted
from fleetslo.warehouse.engine import explained as of_duckdb
from fleetslo.warehouse.layout import ROW_GROUP_ROWS
from fleetslo.warehouse.sources import Source, read_source

if TYPE_CHECKING:
    import duckdb

    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

PART_BYTES = 150 * 1024**2
"""About the size of one upload: what breaks off is not much to send again."""


def load(
    warehouse: "BigQueryWarehouse",
    table: str,
    files: Sequence[Path],
    *,
    step: timedelta | None = None,
    source: str | Source | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load files; see ``Warehouse.load``."""
    show = progress or (lambda what, done, total: None)
    mapping = read_source(source) if isinstance(source, str) else source
    job = loading.job(contract(table), files, step, mapping, parameters)
    keys = job.keys()
    books.make(warehouse)
    known = books.known(warehouse, table, job.step, list(keys))
    fresh = {key: names for key, names in keys.items() if key not in known}
    again = tuple(name for key, names in keys.items() if key in known for name in names)
    if not fresh:
        return LoadReport(rows=0, days=0, already_loaded=again)
    with TemporaryDirectory(prefix="fleetslo-") as folder:
        with _judged(job, list(fresh.values()), Path(folder), show) as connection:
            rows = _rows(connection, job.contract)
            _write(connection, job.contract, Path(folder) / "parts")
        with staging(warehouse, job.contract) as waiting:
            _upload(warehouse, job.contract, sorted(Path(folder).glob("parts/*")), waiting, show)
            replaced = merge(warehouse, job.contract, waiting, rows, show)
            called = mapping.name if mapping else None
            books.note(
                warehouse, job.contract, waiting, fresh, rows, replaced,
                source=called, step=job.step,
            )  # fmt: skip
    return LoadReport(rows.count, rows.days, replaced, again)


def load_rows(
    warehouse: "BigQueryWarehouse",
    contract: Contract,
    select_sql: str,
    parameters: Sequence[Any],
    origin: str,
    *,
    step: timedelta | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load what a SELECT inside BigQuery answers into a table: all of its rows, or none.

    The rows are cast to the contract and judged by its rules; rows of the same grain are
    replaced. The same SELECT may be loaded again and again, since what it reads may have changed.

    Args:
        warehouse: the dataset.
        contract: the table that is filled.
        select_sql: one query in GoogleSQL; its columns are named as the contract's, in any
            order. Columns that may be null, and histograms, can be left out.
        parameters: of the query, as Google's client takes them (``ScalarQueryParameter``).
        origin: what the rows come from, for messages and the book of loads: ``mapping our-lb``.
        step: how much time one row covers, where the source is coarser than the table.
        progress: called with (what, done, total).

    Raises:
        ContractError: a column is missing or unknown, a row breaks the contract, or two have the
            same grain; the first ten rows are named by grain, with column, value and rule.
        ParameterError: a step that the table cannot have.
        WarehouseError: BigQuery refused or failed.
    """
    show = progress or (lambda what, done, total: None)
    loading.check_step(contract, step)
    selection = Selection(warehouse, contract, select_sql, parameters, origin)
    books.make(warehouse)
    asked = [select_sql, *(str(parameter.to_api_repr()) for parameter in parameters)]
    key = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    with staging(warehouse, contract, FAULT) as waiting:
        show(f"reading {origin}", 0, 1)
        selection.stage(waiting)
        rows = selection.judge(waiting)
        show(f"reading {origin}", 1, 1)
        replaced = merge(warehouse, contract, waiting, rows, show)
        books.note(
            warehouse, contract, waiting, {key: ()}, rows, replaced, source=origin, step=step
        )
    return LoadReport(rows.count, rows.days, replaced)


@contextmanager
def _judged(
    job: loading.Job, groups: Sequence[tuple[Path, ...]], folder: Path, show: Progress
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Hold the table ``staged`` with the rows of files, every one of them sound."""
    with connected(folder / "spill") as connection, of_duckdb(f"load {job.contract.table}"):
        loading.judge(connection, job, groups, show)
        yield connection


def _rows(connection: "duckdb.DuckDBPyConnection", contract: Contract) -> Rows:
    if contract.partition is None:
        return Rows(int(answer(connection, "SELECT count(*) FROM staged")[0][0]), 1)
    day = f"CAST({quoted(contract.partition)} AS DATE)"
    select = f"SELECT count(*), count(DISTINCT {day}), min({day}), max({day}) FROM staged"
    return Rows(*answer(connection, select)[0])


def _write(connection: "duckdb.DuckDBPyConnection", contract: Contract, folder: Path) -> None:
    """Write the rows to Parquet files of about the size of an upload."""
    connection.execute(
        f"COPY (SELECT {listed(contract.by_name)} FROM staged) TO {literal(folder)} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, "
        f"FILE_SIZE_BYTES {PART_BYTES})"
    )


def _upload(
    warehouse: "BigQueryWarehouse",
    contract: Contract,
    parts: Sequence[Path],
    staging: str,
    show: Progress,
) -> None:
    """Append files to a staging table.

    Raises:
        WarehouseError: BigQuery refused or failed; the staging table holds some of the rows.
    """
    from google.cloud import bigquery

    lists = bigquery.ParquetOptions()  # type: ignore[no-untyped-call]
    lists.enable_list_inference = True
    name = f"load {contract.table}"
    labels = {"tool": "fleetslo", "query": name, **warehouse.asker.labels}
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        schema=tables.loose(contract),
        parquet_options=lists,
        labels={key: label(value) for key, value in labels.items()},
    )
    for done, part in enumerate(parts):
        show(f"uploading {contract.table}", done, len(parts))
        with explained(warehouse.url, name), part.open("rb") as content:
            job = warehouse.client.load_table_from_file(
                content, f"{warehouse.dataset_id}.{staging}", job_config=config
            )
            try:
                job.result(timeout=warehouse.asker.patience.job_s)
            except (KeyboardInterrupt, TimeoutError):
                job.cancel(retry=None)
                raise
    show(f"uploading {contract.table}", len(parts), len(parts))
