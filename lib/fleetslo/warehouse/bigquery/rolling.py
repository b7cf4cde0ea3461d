"""Minutes of a dataset summed into hours, days and what objectives measure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.base import Progress, RollupReport
from fleetslo.warehouse.measures import Measure

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def rollup(
    warehouse: "BigQueryWarehouse", measures: Sequence[Measure], progress: Progress | None = None
) -> RollupReport:
    """Bring derived tables up to date; see ``Warehouse.rollup``."""
    raise WarehouseError(f"{warehouse.url}: not built yet")


def pending(warehouse: "BigQueryWarehouse") -> dict[str, int]:
    """Return the days that changed; see ``Warehouse.pending``."""
    return {}
