"""The dataset and its tables, made from the contracts."""

from typing import TYPE_CHECKING

from fleetslo.errors import WarehouseError

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def create(warehouse: "BigQueryWarehouse") -> None:
    """Make what is missing; what exists is left as it is."""
    raise WarehouseError(f"{warehouse.url}: not built yet")


def migrate(warehouse: "BigQueryWarehouse") -> list[str]:
    """Bring tables up to the present contracts; return their names."""
    raise WarehouseError(f"{warehouse.url}: not built yet")
