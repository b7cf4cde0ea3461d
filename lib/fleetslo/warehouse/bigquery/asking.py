"""One question to BigQuery: what it would read, and its answer within that."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.reading import Reader

if TYPE_CHECKING:
    from google.cloud import bigquery

TIB = 1024**4
_GIB = 1024**3
_LEAST_BILLED = 10 * 1024**2
"""BigQuery bills at least 10 MiB per table and query; a cap equal to the estimate is refused."""
_GROWTH = 0.1
"""The share by which tables may grow between the dry run and the query."""


@dataclass(frozen=True)
class Patience:
    """How long an answer is waited for, in seconds.

    ``retry_s`` covers all tries of one request, ``first_delay_s`` is waited before the second try,
    ``request_s`` is the time for one try and ``job_s`` that for a job to end.
    """

    retry_s: float = 120.0
    first_delay_s: float = 1.0
    request_s: float = 60.0
    job_s: float = 600.0


@dataclass(frozen=True)
class Estimate:
    """What a query would read, and what is billed for it at least."""

    byte_count: int
    table_count: int

    @property
    def cap(self) -> int:
        """The bytes above which BigQuery is to stop the query."""
        return int(self.byte_count * (1 + _GROWTH)) + _LEAST_BILLED * max(1, self.table_count)

    def price(self, per_tib: float) -> float:
        """Return what it costs on demand, in the currency of the price."""
        least = _LEAST_BILLED * self.table_count if self.byte_count else 0
        return max(self.byte_count, least) / TIB * per_tib


class Asker:
    """Asks the tables of one dataset.

    Args:
        client: Google's client.
        url: the warehouse's address, for messages.
        dataset: ``project.dataset``, where bare names of tables lie.
        bytes_limit: the most that one query may read.
        reader: reads the answers.
        patience: how long answers are waited for.
    """

    def __init__(
        self,
        client: "bigquery.Client",
        url: str,
        dataset: str,
        bytes_limit: int,
        reader: Reader,
        patience: Patience,
    ) -> None:
        self.client, self.url, self.dataset = client, url, dataset
        self.bytes_limit, self.reader, self.patience = bytes_limit, reader, patience

    def estimate(self, sql: str, parameters: list[Any], name: str) -> Estimate:
        """Return what a query would read; nothing is read or billed for that."""
        with explained(self.url, name):
            dry = self._start(sql, parameters, name, dry_run=True)
            return Estimate(int(dry.total_bytes_processed or 0), len(dry.referenced_tables))

    def answer(self, sql: str, parameters: list[Any], name: str) -> pl.DataFrame:
        """Return the answer to a query.

        Raises:
            WarehouseError: it would read more than the limit, or BigQuery refused or failed.
        """
        estimate = self.estimate(sql, parameters, name)
        if estimate.byte_count > self.bytes_limit:
            raise WarehouseError(
                f"query {name!r} would read {estimate.byte_count / _GIB:.1f} GiB, over the limit "
                f"of {self.bytes_limit / _GIB:.1f} GiB; ask for a shorter period or fewer "
                "services, or raise the setting bigquery_bytes_limit"
            )
        with explained(self.url, name):
            job = self._start(sql, parameters, name, maximum_bytes_billed=estimate.cap)
            try:
                rows = job.result(retry=self._retry(), timeout=self.patience.job_s, job_retry=None)
                return self.reader.read(rows, name)
            except (KeyboardInterrupt, TimeoutError):
                job.cancel(retry=None, timeout=self.patience.request_s)
                raise

    def do(self, statement: str, parameters: list[Any], name: str) -> None:
        """Have a statement done that changes something: DDL, MERGE, INSERT or DELETE.

        Raises:
            WarehouseError: it would read more than the limit, or BigQuery refused or failed.
        """
        self.answer(statement, parameters, name)

    def _start(
        self, sql: str, parameters: list[Any], name: str, **options: Any
    ) -> "bigquery.QueryJob":
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            query_parameters=sorted(parameters, key=lambda parameter: str(parameter.name)),
            default_dataset=self.dataset,
            labels={"tool": "fleetslo", "query": label(name)},
            **options,
        )
        return self.client.query(
            sql,
            job_config=config,
            retry=self._retry(),
            timeout=self.patience.request_s,
            job_retry=None,  # it would go on for ten minutes more, whatever the deadline
        )

    def _retry(self) -> Any:
        from google.cloud import bigquery

        return bigquery.DEFAULT_RETRY.with_delay(initial=self.patience.first_delay_s).with_timeout(
            self.patience.retry_s
        )


def label(name: str) -> str:
    """Return a name as a label: small letters, digits, _ and -, at most 63 of them."""
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:63]
