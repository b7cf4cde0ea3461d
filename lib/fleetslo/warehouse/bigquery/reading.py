"""A finished job's rows as one frame: the whole answer, or an error."""

import warnings
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import WarehouseError

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator


class Reader:
    """Reads answers over the Storage Read API as Arrow, over REST where that is refused.

    Google's client itself takes REST for an answer of one page.

    Args:
        over_storage: False where the server has no Storage Read API for answers.
    """

    def __init__(self, *, over_storage: bool) -> None:
        self.over_storage = over_storage

    def read(self, rows: "RowIterator", name: str) -> pl.DataFrame:
        """Return all rows of an answer.

        Raises:
            WarehouseError: fewer or more rows arrived than the job counted.
        """
        table = self._arrow(rows)
        if table.num_rows != rows.total_rows:
            raise WarehouseError(
                f"query {name!r}: {table.num_rows:,} of {rows.total_rows:,} rows arrived; "
                "the answer broke off and none of it is used: ask again"
            )
        return pl.DataFrame(pl.from_arrow(table))

    def _arrow(self, rows: "RowIterator") -> Any:
        from google.api_core.exceptions import Forbidden

        if self.over_storage:
            try:
                return rows.to_arrow(create_bqstorage_client=True)
            except Forbidden as error:
                self.over_storage = False
                warnings.warn(
                    f"the Storage Read API is refused ({error.message}); answers come over REST, "
                    "which is slower: the role BigQuery Read Session User allows it",
                    stacklevel=2,
                )
        return rows.to_arrow(create_bqstorage_client=False)
