"""What a dataset remembers of its loads: the table ``fleetslo_loads``, to which rows are added.

A file counts as loaded while no later load of the same table has replaced rows on its days; loaded
again after that, it is loaded again. Nothing in the book is ever changed, so two that write to it
do not wait for each other.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.merging import Rows
from fleetslo.warehouse.bigquery.tables import table
from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

LOADS = Contract(
    table="fleetslo_loads",
    says="Book of fleetslo warehouse load: one row per file, or per load of a source.",
    grain=("loaded_at", "sha256"),
    cluster=("table_name",),
    columns=(
        Column("loaded_at", Type("TIMESTAMP")),
        Column("table_name", Type("STRING"), says="the table that was filled"),
        Column("sha256", Type("STRING"), says="of what was loaded"),
        Column("files", Type("ARRAY", element=Type("STRING")), says="names of the files"),
        Column("source", Type("STRING"), nullable=True, says="the mapping, or null"),
        Column("step_s", Type("INT64"), nullable=True, says="seconds that a row covers; null: one"),
        Column("first_day", Type("DATE"), nullable=True, says="null without day partitions"),
        Column("last_day", Type("DATE"), nullable=True, says="null without day partitions"),
        Column("row_count", Type("INT64"), says="of the whole load"),
        Column("replaced_count", Type("INT64"), says="rows in place of others of the same grain"),
        Column(
            "steps",
            Type.parse("ARRAY<STRUCT<service STRING, first TIMESTAMP, after TIMESTAMP>>"),
            says="stretches in which a row covers step_s seconds instead of the table's grain",
        ),
    ),
)

_KNOWN = """\
SELECT DISTINCT
  one.sha256
FROM fleetslo_loads AS one
WHERE
  one.table_name = @table_name
  AND one.step_s IS NOT DISTINCT FROM @step_s
  AND one.sha256 IN UNNEST(@keys)
  AND NOT EXISTS (
    SELECT 1
    FROM fleetslo_loads AS later
    WHERE
      later.table_name = one.table_name
      AND later.replaced_count > 0
      AND later.loaded_at > one.loaded_at
      AND COALESCE(later.first_day <= one.last_day AND later.last_day >= one.first_day, TRUE)
  )"""
_ROW = """\
INSERT INTO fleetslo_loads
  (loaded_at, table_name, sha256, files, source, step_s, first_day, last_day, row_count,
   replaced_count, steps)
SELECT
  CURRENT_TIMESTAMP(), @table_name, sha256, SPLIT(files, '\\n'), @source,
  @step_s, @first_day, @last_day, @row_count, @replaced_count, {steps}
FROM UNNEST(@keys) AS sha256 WITH OFFSET AS place
INNER JOIN UNNEST(@files) AS files WITH OFFSET AS files_place
  ON place = files_place"""
_STEPS = """\
ARRAY(
    SELECT AS STRUCT
      service,
      MIN({time}) AS first,
      TIMESTAMP_ADD(MAX({time}), INTERVAL @step_s SECOND) AS after
    FROM {staging}
    GROUP BY service
  )"""
_NO_STEPS = "ARRAY<STRUCT<service STRING, first TIMESTAMP, after TIMESTAMP>>[]"


def make(warehouse: "BigQueryWarehouse") -> None:
    """Make the book where there is none; what is in it is kept."""
    with explained(warehouse.url, LOADS.table):
        made = table(warehouse.dataset_id, LOADS, None)
        warehouse.client.create_table(made, exists_ok=True, **patience(warehouse))


def exists(warehouse: "BigQueryWarehouse") -> bool:
    """Return whether the dataset has the book."""
    from google.api_core.exceptions import NotFound

    with explained(warehouse.url, LOADS.table):
        try:
            name = f"{warehouse.dataset_id}.{LOADS.table}"
            warehouse.client.get_table(name, **patience(warehouse))
        except NotFound:
            return False
    return True


def known(
    warehouse: "BigQueryWarehouse", filled: str, step: timedelta | None, keys: list[str]
) -> set[str]:
    """Return which of these loads of a table the book has, and are still in force."""
    from google.cloud import bigquery

    parameters = [
        bigquery.ScalarQueryParameter("table_name", "STRING", filled),
        bigquery.ScalarQueryParameter("step_s", "INT64", _seconds(step)),
        bigquery.ArrayQueryParameter("keys", "STRING", keys),
    ]
    return set(warehouse.asker.answer(_KNOWN, parameters, "loads")["sha256"])


def note(
    warehouse: "BigQueryWarehouse",
    contract: Contract,
    staging: str,
    loads: Mapping[str, tuple[Path, ...]],
    rows: Rows,
    replaced: int,
    *,
    source: str | None = None,
    step: timedelta | None = None,
) -> None:
    """Write what was loaded into the book, with the steps of what is coarser than the table.

    Args:
        warehouse: the dataset.
        contract: the table that was filled.
        staging: the table with the rows.
        loads: the files of each load, by digest.
        rows: how many there are, and over which days.
        replaced: how many of them replaced others.
        source: the mapping that made the rows.
        step: how much time one row covers.
    """
    from google.cloud import bigquery

    def scalar(name: str, kind: str, value: Any) -> bigquery.ScalarQueryParameter:
        return bigquery.ScalarQueryParameter(name, kind, value)

    coarser = step is not None and step != contract.step
    steps = _STEPS.format(time=contract.partition, staging=staging) if coarser else _NO_STEPS
    files = ["\n".join(Path(file).name for file in names) for names in loads.values()]
    parameters = [
        scalar("table_name", "STRING", contract.table),
        bigquery.ArrayQueryParameter("keys", "STRING", list(loads)),
        bigquery.ArrayQueryParameter("files", "STRING", files),
        scalar("source", "STRING", source),
        scalar("step_s", "INT64", _seconds(step)),
        scalar("first_day", "DATE", rows.first),
        scalar("last_day", "DATE", rows.last),
        scalar("row_count", "INT64", rows.count),
        scalar("replaced_count", "INT64", replaced),
    ]
    warehouse.asker.do(_ROW.format(steps=steps), parameters, f"note {contract.table}")


def _seconds(step: timedelta | None) -> int | None:
    return None if step is None else int(step.total_seconds())
