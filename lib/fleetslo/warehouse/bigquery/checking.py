"""Tables of a dataset against their contracts."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.base import Finding

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def check(
    warehouse: "BigQueryWarehouse", as_of: datetime, tables: Sequence[str] | None = None
) -> list[Finding]:
    """Return what the tables break; see ``Warehouse.check``."""
    raise WarehouseError(f"{warehouse.url}: not built yet")
