"""Tables of a dataset as BigQuery's client describes them, made from their contracts."""

from typing import TYPE_CHECKING, Any

from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from google.cloud import bigquery

_DAY_MS = 24 * 60 * 60 * 1000
_LONGEST = 1024
"""Characters that BigQuery keeps of a column's description."""


def table(dataset: str, contract: Contract, keep_days: int | None) -> "bigquery.Table":
    """Return a contract's table, to be made.

    Args:
        dataset: ``project.dataset``.
        contract: gives columns, day partitions, clustering and descriptions.
        keep_days: after how many days a partition is dropped; None keeps all.
    """
    from google.cloud import bigquery

    made = bigquery.Table(f"{dataset}.{contract.table}", [field(one) for one in contract.columns])
    made.description = contract.says
    if contract.cluster:
        made.clustering_fields = list(contract.cluster)
    if contract.partition:
        made.time_partitioning = bigquery.TimePartitioning(
            field=contract.partition, expiration_ms=milliseconds(keep_days)
        )
        made.require_partition_filter = True
    return made


def field(column: Column) -> "bigquery.SchemaField":
    """Return a column with its description; what may not be null is required."""
    return _field(column.name, column.type, description(column), required=not column.nullable)


def _field(
    name: str, kind: Type, says: str | None = None, *, required: bool = False
) -> "bigquery.SchemaField":
    from google.cloud import bigquery

    inner = kind.element or kind
    described: dict[str, Any] = {"description": says} if says else {}
    mode = "REPEATED" if kind.element else "REQUIRED" if required else "NULLABLE"
    return bigquery.SchemaField(
        name,
        "RECORD" if inner.fields else inner.kind,
        mode,
        **described,
        fields=[_field(each, of) for each, of in inner.fields],
    )


def loose(contract: Contract) -> "list[bigquery.SchemaField]":
    """Return the columns of rows that are still to be judged: each may be null."""
    return [_field(column.name, column.type) for column in contract.columns]


def description(column: Column) -> str | None:
    """Return what is said about a column, with its unit."""
    unit = f"[{column.unit}]" if column.unit else ""
    return " ".join(part for part in (column.says, unit) if part)[:_LONGEST] or None


def milliseconds(days: int | None) -> int | None:
    """Return days as BigQuery counts the life of a partition."""
    return None if days is None else days * _DAY_MS
