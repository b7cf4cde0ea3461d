"""Files into tables of a dataset."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.base import LoadReport, Progress
from fleetslo.warehouse.contracts import Contract

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
    from fleetslo.warehouse.sources import Source


def load(
    warehouse: "BigQueryWarehouse",
    table: str,
    files: Sequence[Path],
    *,
    step: timedelta | None = None,
    source: "str | Source | None" = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load files; see ``Warehouse.load``."""
    raise WarehouseError(f"{warehouse.url}: not built yet")


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
        WarehouseError: BigQuery refused or failed.
    """
    raise WarehouseError(f"{warehouse.url}: not built yet")
