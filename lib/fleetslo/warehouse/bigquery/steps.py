"""Which services of a dataset report in coarser steps than the table they fill."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def steps(
    warehouse: "BigQueryWarehouse", table: str, start: datetime, end: datetime
) -> dict[str, timedelta]:
    """Return the services whose rows of a table cover more than its grain in ``[start, end)``.

    Such a source covers every minute of a step with one row at its first minute. A dataset that
    has no book of steps yet has no such service.
    """
    return {}
