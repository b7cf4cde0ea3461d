"""What a dataset remembers of its rollups: the table ``fleetslo_rolled``, to which rows are added.

The newest row of a table and day counts. It is written after the day was: a process that dies in
between leaves a day that is rolled up once more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.changes import Print
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.tables import table
from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

ROLLED = Contract(
    table="fleetslo_rolled",
    says="Book of fleetslo warehouse rollup: one row per derived table and day that was rolled up.",
    grain=("noted_at", "table_name", "day"),
    cluster=("table_name",),
    columns=(
        Column("noted_at", Type("TIMESTAMP")),
        Column("table_name", Type("STRING"), says="the derived table"),
        Column("day", Type("DATE")),
        Column("sources", Type("STRING"), says="JSON: what its sources looked like, by table"),
        Column("target", Type("STRING"), nullable=True, says="what came of it; null: no rows"),
        Column("is_mixed", Type("BOOL"), says="whether rows stand that its sources did not give"),
        Column("measures", Type("STRING"), says="digest of what objectives counted"),
    ),
)

_READ = """\
SELECT
  noted_at,
  day,
  sources,
  target,
  is_mixed,
  measures
FROM fleetslo_rolled
WHERE table_name = @table_name"""
_WRITE = """\
INSERT INTO fleetslo_rolled
  (noted_at, table_name, day, sources, target, is_mixed, measures)
SELECT
  CURRENT_TIMESTAMP(),
  @table_name,
  day,
  sources,
  NULLIF(target, ''),
  is_mixed,
  @measures
FROM UNNEST(@days) AS day WITH OFFSET AS place
INNER JOIN UNNEST(@sources) AS sources WITH OFFSET AS sources_place
  ON place = sources_place
INNER JOIN UNNEST(@targets) AS target WITH OFFSET AS target_place
  ON place = target_place
INNER JOIN UNNEST(@is_mixed) AS is_mixed WITH OFFSET AS mixed_place
  ON place = mixed_place"""


@dataclass(frozen=True)
class Note:
    """What a day was rolled up from, and what came of it; see ``ROLLED``."""

    sources: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    is_mixed: bool = False
    measures: str = ""

    def is_ours(self, target: Print | None, sources: Mapping[str, Print]) -> bool:
        """Return whether all rows that stand were rolled up, from no more rows than there are now.

        Where minutes have gone since, what was rolled up from them is worth more than what is left.
        """
        was = {name: int(mark.partition("-")[0]) for name, mark in self.sources.items()}
        gone = any(name not in sources or sources[name].row_count < was[name] for name in was)
        stands = None if target is None else str(target)
        return self.target == stands and not self.is_mixed and not gone


def make(warehouse: "BigQueryWarehouse") -> None:
    """Make the book where there is none; what is in it is kept."""
    with explained(warehouse.url, ROLLED.table):
        warehouse.client.create_table(
            table(warehouse.dataset_id, ROLLED, None), exists_ok=True, **patience(warehouse)
        )


def exists(warehouse: "BigQueryWarehouse") -> bool:
    """Return whether the dataset was ever rolled up here."""
    from google.api_core.exceptions import NotFound

    with explained(warehouse.url, ROLLED.table):
        try:
            warehouse.client.get_table(
                f"{warehouse.dataset_id}.{ROLLED.table}", **patience(warehouse)
            )
        except NotFound:
            return False
    return True


def notes(warehouse: "BigQueryWarehouse", derived: str) -> dict[date, Note]:
    """Return what is noted of a derived table, by day."""
    from google.cloud import bigquery

    asked = [bigquery.ScalarQueryParameter("table_name", "STRING", derived)]
    rows = warehouse.asker.answer(_READ, asked, "notes").sort("noted_at")
    newest = rows.unique("day", keep="last", maintain_order=True)
    return {
        row["day"]: Note(
            json.loads(row["sources"]), row["target"], row["is_mixed"], row["measures"]
        )
        for row in newest.with_columns(pl.col("day").cast(pl.Date)).iter_rows(named=True)
    }


def note(warehouse: "BigQueryWarehouse", derived: str, by_day: Mapping[date, Note]) -> None:
    """Write notes of one derived table; all have the same measures."""
    from google.cloud import bigquery

    if not by_day:
        return
    days = sorted(by_day)
    ones = [by_day[day] for day in days]
    array, scalar = bigquery.ArrayQueryParameter, bigquery.ScalarQueryParameter
    given = [
        scalar("table_name", "STRING", derived),
        scalar("measures", "STRING", ones[0].measures),
        array("days", "DATE", days),
        array("sources", "STRING", [json.dumps(dict(one.sources)) for one in ones]),
        array("targets", "STRING", [one.target or "" for one in ones]),
        array("is_mixed", "BOOL", [one.is_mixed for one in ones]),
    ]
    warehouse.asker.do(_WRITE, given, f"note {derived}")
