"""One question to BigQuery: what it would read, and its answer within that."""

import re
import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.misfits import misfits
from fleetslo.warehouse.bigquery.reading import Reader
from fleetslo.warehouse.watching import Asked, Silence, Watcher

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

TIB = 1024**4
_GIB = 1024**3
_LEAST_BILLED = 10 * 1024**2
"""BigQuery bills at least 10 MiB per table and query; a cap equal to the estimate is refused."""
_GROWTH = 0.1
"""The share by which tables may grow between the dry run and the query."""
_ORDERED = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE)
_WAIT_SHARE, _LEAST_WAIT_S, _MOST_WAIT_S = 0.15, 0.05, 2.0
"""A job is asked after again when it has run this much longer, in seconds at least and at most."""


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
    """What a query would read, and what is billed for it at least.

    What BigQuery's cache would answer reads nothing.
    """

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
        watcher: is told how each question goes, and asked about one over the limit.

    Attributes:
        labels: labels of each job, besides its tool and query.
        last: what the newest answer cost.
    """

    def __init__(
        self,
        client: "bigquery.Client",
        url: str,
        dataset: str,
        bytes_limit: int,
        reader: Reader,
        patience: Patience,
        watcher: Watcher | None = None,
    ) -> None:
        self.client, self.url, self.dataset = client, url, dataset
        self.bytes_limit, self.reader, self.patience = bytes_limit, reader, patience
        self.watcher: Watcher = watcher or Silence()
        self.labels: dict[str, str] = {}
        self.last: Asked | None = None

    def estimate(self, sql: str, parameters: list[Any], name: str) -> Estimate:
        """Return what a query would read; nothing is read or billed for that."""
        with explained(self.url, name, lambda: self._misfits(sql)):
            dry = self._start(sql, parameters, name, dry_run=True)
            return Estimate(int(dry.total_bytes_processed or 0), len(dry.referenced_tables))

    def answer(self, sql: str, parameters: list[Any], name: str) -> pl.DataFrame:
        """Return the answer to a query.

        Raises:
            WarehouseError: it would read more than the limit, its answer would take more memory
                than allowed, or BigQuery refused or failed.
        """
        with closing(self._pieces(sql, parameters, name)) as pieces:
            return self.reader.whole(pieces, name)

    def batches(
        self, sql: str, parameters: list[Any], name: str
    ) -> Generator[pl.DataFrame, None, None]:
        """Yield the answer to a query in pieces that fit in memory; at least one, maybe empty.

        Whoever takes them must keep none when this raises, and close the generator when they want
        no more. ``last`` is set when all have arrived.

        Raises:
            WarehouseError: as ``answer``, the memory aside, or not all rows arrived.
        """
        with closing(self._pieces(sql, parameters, name)) as pieces:
            for piece in pieces:
                yield pl.DataFrame(pl.from_arrow(piece))

    def _pieces(
        self, sql: str, parameters: list[Any], name: str
    ) -> "Generator[pa.Table, None, None]":
        """Yield the answer as it arrives, then record what it cost."""
        began = time.monotonic()
        try:
            estimate = self._allowed(sql, parameters, name)
            with explained(self.url, name, lambda: self._misfits(sql)):
                # 0 is said of what the cache would answer, and of tables with row access policies,
                # of which BigQuery hides what is read.
                cap = estimate.cap if estimate.byte_count else self.bytes_limit
                job = self._start(sql, parameters, name, maximum_bytes_billed=cap)
                row_count = 0
                try:
                    self._wait(job, name)
                    rows = job.result(
                        retry=self._retry(), timeout=self.patience.job_s, job_retry=None
                    )
                    ordered = _ORDERED.search(sql) is not None
                    pieces = self.reader.pieces(rows, job.destination, name, in_order=ordered)
                    for piece in pieces:
                        row_count += piece.num_rows
                        self.watcher.reading(name, row_count, rows.total_rows or 0)
                        yield piece
                except (KeyboardInterrupt, TimeoutError):
                    self._cancel(job)
                    raise
        except BaseException:
            self.watcher.failed(name)
            raise
        self.last = Asked(
            name=name,
            job_id=str(job.job_id),
            bytes_estimated=estimate.byte_count,
            bytes_processed=int(job.total_bytes_processed or 0),
            bytes_billed=int(job.total_bytes_billed or 0),
            cache_hit=bool(job.cache_hit),
            row_count=row_count,
            seconds=time.monotonic() - began,
        )
        self.watcher.answered(self.last)

    def do(self, statement: str, parameters: list[Any], name: str) -> None:
        """Have a statement done that changes something: DDL, MERGE, INSERT or DELETE.

        Raises:
            WarehouseError: it would read more than the limit, or BigQuery refused or failed.
        """
        self.answer(statement, parameters, name)

    def _allowed(self, sql: str, parameters: list[Any], name: str) -> Estimate:
        estimate = self.estimate(sql, parameters, name)
        self.watcher.estimated(name, estimate.byte_count)
        over = estimate.byte_count > self.bytes_limit
        if over and not self.watcher.may_exceed(name, estimate.byte_count, self.bytes_limit):
            raise WarehouseError(
                f"query {name!r} would read {estimate.byte_count / _GIB:.1f} GiB, over the limit "
                f"of {self.bytes_limit / _GIB:.1f} GiB; ask for a shorter period or fewer "
                "services, or raise the setting bigquery_bytes_limit"
            )
        return estimate

    def _wait(self, job: "bigquery.QueryJob", name: str) -> None:
        """Wait until a job has ended, well or not, and tell how far it is."""
        began = time.monotonic()
        while not job.done(retry=self._retry(), timeout=self.patience.request_s):
            seconds = time.monotonic() - began
            if seconds > self.patience.job_s:
                raise TimeoutError
            self.watcher.running(name, seconds, _share_done(job))
            time.sleep(min(max(seconds * _WAIT_SHARE, _LEAST_WAIT_S), _MOST_WAIT_S))

    def _cancel(self, job: "bigquery.QueryJob") -> None:
        from google.api_core.exceptions import GoogleAPICallError
        from requests.exceptions import RequestException

        with suppress(GoogleAPICallError, RequestException):  # what led here is said instead
            job.cancel(retry=None, timeout=self.patience.request_s)

    def _misfits(self, sql: str) -> list[str]:
        return misfits(self.client, self.dataset, sql, self.patience.request_s)

    def _start(
        self, sql: str, parameters: list[Any], name: str, **options: Any
    ) -> "bigquery.QueryJob":
        from google.cloud import bigquery

        labels = {"tool": "fleetslo", "query": name, **self.labels}
        config = bigquery.QueryJobConfig(
            query_parameters=sorted(parameters, key=lambda parameter: str(parameter.name)),
            default_dataset=self.dataset,
            labels={key: label(value) for key, value in labels.items()},
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


def _share_done(job: "bigquery.QueryJob") -> float | None:
    """Return the share of the work known so far that is done; None before any is known."""
    newest = job.timeline[-1] if job.timeline else None
    if newest is None:
        return None
    done = newest.completed_units or 0
    known = done + (newest.active_units or 0) + (newest.pending_units or 0)
    return done / known if known else None


def label(name: str) -> str:
    """Return a name as a label: small letters, digits, _ and -, at most 63 of them."""
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:63]
