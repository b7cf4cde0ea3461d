"""How long calls that are no queries are waited for: those about datasets, tables and uploads."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


def patience(warehouse: "BigQueryWarehouse") -> dict[str, Any]:
    """Return ``retry`` and ``timeout`` of a call: what passes is asked again, within the limit."""
    from google.cloud import bigquery

    given = warehouse.asker.patience
    retry = bigquery.DEFAULT_RETRY.with_delay(initial=given.first_delay_s)
    return {"retry": retry.with_timeout(given.retry_s), "timeout": given.request_s}
