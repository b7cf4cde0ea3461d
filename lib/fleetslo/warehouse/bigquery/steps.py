"""Which services of a dataset report in coarser steps than the table they fill."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fleetslo.warehouse.bigquery import books

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_COARSER = """\
SELECT
  step.service,
  MAX(one.step_s) AS step_s
FROM fleetslo_loads AS one
CROSS JOIN UNNEST(one.steps) AS step
WHERE
  one.table_name = @table_name
  AND step.first < @end
  AND step.after > @start
GROUP BY step.service"""


def steps(
    warehouse: "BigQueryWarehouse", filled: str, start: datetime, end: datetime
) -> dict[str, timedelta]:
    """Return the services whose rows of a table cover more than its grain in ``[start, end)``.

    Such a source covers every minute of a step with one row at its first minute. A dataset without
    the book has no such service.
    """
    from google.cloud import bigquery

    if not books.exists(warehouse):
        return {}
    parameters = [
        bigquery.ScalarQueryParameter("table_name", "STRING", filled),
        bigquery.ScalarQueryParameter("start", "TIMESTAMP", start),
        bigquery.ScalarQueryParameter("end", "TIMESTAMP", end),
    ]
    found = warehouse.asker.answer(_COARSER, parameters, "steps")
    return {
        service: timedelta(seconds=seconds)
        for service, seconds in found.select("service", "step_s").sort("service").iter_rows()
    }
