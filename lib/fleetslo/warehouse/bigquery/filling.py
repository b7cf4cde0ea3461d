"""Files into tables of a dataset."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.base import LoadReport, Progress

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def load(
    warehouse: "BigQueryWarehouse",
    table: str,
    files: Sequence[Path],
    *,
    step: timedelta | None = None,
    source: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load files; see ``Warehouse.load``."""
    raise WarehouseError(f"{warehouse.url}: not built yet")
