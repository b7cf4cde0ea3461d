"""A finished job's rows, piece by piece: the whole answer, or an error."""

import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import WarehouseError

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.reader import ReadRowsStream

_GIB = 1024**3
_STREAMS = 4
"""Streams read at once; each holds a few messages of at most 10 MiB."""


class Reader:
    """Reads answers over the Storage Read API as Arrow, over REST where that is refused.

    Google's client itself takes REST for an answer of one page.

    Args:
        storage: makes the client of the Storage Read API; None where the server has none.
        bytes_limit: the most that ``whole`` holds in memory.
        patience_s: how long the next piece is waited for.
    """

    def __init__(
        self,
        storage: "Callable[[], BigQueryReadClient] | None",
        bytes_limit: int,
        patience_s: float,
    ) -> None:
        self.storage, self.bytes_limit, self.patience_s = storage, bytes_limit, patience_s
        self._client: BigQueryReadClient | None = None

    def batches(self, result: "Callable[[], RowIterator]", name: str) -> Iterator[pl.DataFrame]:
        """Yield the rows of an answer in pieces that fit in memory, at least one, maybe empty.

        Args:
            result: returns the job's rows, afresh at each call.
            name: the question, for messages.

        Raises:
            WarehouseError: fewer or more rows arrived than the job counted. What was yielded
                before is then a part of nothing.
        """
        rows = result()
        total = rows.total_rows or 0
        if not total:
            yield pl.DataFrame(pl.from_arrow(rows.to_arrow(create_bqstorage_client=False)))
            return
        arrived = 0
        for piece in self._pieces(result, rows):
            arrived += piece.height
            yield piece
        if arrived != total:
            raise WarehouseError(
                f"query {name!r}: {arrived:,} of {total:,} rows arrived; "
                "the answer broke off and none of it is used: ask again"
            )

    def whole(self, pieces: Iterator[pl.DataFrame], name: str) -> pl.DataFrame:
        """Return all pieces of an answer as one frame.

        Raises:
            WarehouseError: they would take more memory than is allowed; no more is read then.
        """
        held: list[pl.DataFrame] = []
        size = 0
        for piece in pieces:
            size += int(piece.estimated_size())
            if size > self.bytes_limit:
                held.clear()
                raise WarehouseError(
                    f"query {name!r}: the answer is larger than {self.bytes_limit / _GIB:.3g} GiB, "
                    "what may be held in memory; ask for a shorter period, fewer services or sums, "
                    "or raise the setting result_bytes_limit"
                )
            held.append(piece)
        return pl.concat(held)

    def _pieces(
        self, result: "Callable[[], RowIterator]", rows: "RowIterator"
    ) -> Iterator[pl.DataFrame]:
        from google.api_core.exceptions import Forbidden

        if self.storage is not None:
            pieces = self._over_storage(rows, self.storage)
            try:
                first = next(pieces, None)
            except Forbidden as error:
                self.storage = None
                warnings.warn(
                    f"the Storage Read API is refused ({error.message}); answers come over REST, "
                    "which is slower: the role BigQuery Read Session User allows it",
                    stacklevel=2,
                )
                rows = result()  # a row iterator is of use once
            else:
                if first is not None:
                    yield first
                yield from pieces
                return
        for batch in rows.to_arrow_iterable():
            yield pl.DataFrame(pl.from_arrow(batch))

    def _over_storage(
        self, rows: "RowIterator", storage: "Callable[[], BigQueryReadClient]"
    ) -> Iterator[pl.DataFrame]:
        streams = _Streams(lambda: self._connected(storage), self.patience_s)
        batches = rows.to_arrow_iterable(
            streams,  # type: ignore[arg-type]
            max_stream_count=_STREAMS,
        )
        try:
            while (batch := streams.within_patience(lambda: next(batches, None))) is not None:
                yield pl.DataFrame(pl.from_arrow(batch))
        finally:
            streams.cancel()
            batches.close()  # type: ignore[attr-defined]

    def _connected(self, storage: "Callable[[], BigQueryReadClient]") -> "BigQueryReadClient":
        """Return the client, made when the first answer needs one: most have a single page."""
        if self._client is None:
            self._client = storage()
        return self._client


class _Streams:
    """The two calls that Google's reader makes, with an end to their patience.

    Left alone it goes back to a stream that breaks off for a day, and waits for ever for one that
    falls silent.
    """

    def __init__(self, client: "Callable[[], BigQueryReadClient]", patience_s: float) -> None:
        self._client, self._patience_s = client, patience_s
        self._open: list[ReadRowsStream] = []
        self._cancelled = False
        self._schema: Any = None

    def create_read_session(self, **request: Any) -> Any:
        """Open a session; whatever passes is asked again."""
        import pyarrow as pa

        request.update(retry=self._retry(), timeout=self._patience_s)
        session = self._client().create_read_session(**request)
        if session.streams:
            self._schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        return session

    def read_rows(self, name: str) -> "_Stream":
        """Open one stream of the session."""
        stream: ReadRowsStream = self._client().read_rows(  # type: ignore[no-untyped-call]
            name, retry=self._retry()
        )
        self._open.append(stream)
        if self._cancelled:
            stream.cancel()  # type: ignore[no-untyped-call]
        return _Stream(stream, self._schema)

    def within_patience(self, step: Callable[[], Any]) -> Any:
        """Return what a step returns.

        Raises:
            TimeoutError: it took longer than is waited for.
        """
        silent = threading.Event()

        def give_up() -> None:
            silent.set()
            self.cancel()

        timer = threading.Timer(self._patience_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            found = step()
        finally:
            timer.cancel()
        if silent.is_set():
            raise TimeoutError
        return found

    def cancel(self) -> None:
        """Let go of all streams."""
        self._cancelled = True
        for stream in self._open:
            stream.cancel()  # type: ignore[no-untyped-call]

    def _retry(self) -> Any:
        from google.api_core import exceptions, retry

        passing = retry.if_exception_type(
            exceptions.ServiceUnavailable, exceptions.InternalServerError
        )
        return retry.Retry(passing, initial=0.1, timeout=self._patience_s)


@dataclass(frozen=True)
class _Page:
    """One message of a stream. Google's own ``to_arrow`` is about to go."""

    message: Any
    schema: Any

    def to_arrow(self) -> Any:
        """Return its rows as a record batch."""
        import pyarrow as pa

        rows = pa.py_buffer(self.message.arrow_record_batch.serialized_record_batch)
        return pa.ipc.read_record_batch(rows, self.schema)


@dataclass(frozen=True)
class _Stream:
    """The messages of one stream as Google's reader takes them."""

    messages: "ReadRowsStream"
    schema: Any

    def rows(self, _session: Any = None) -> "_Stream":
        """Return what has pages: the stream."""
        return self

    @property
    def pages(self) -> Iterator[_Page]:
        """Its messages, as they arrive."""
        return (_Page(message, self.schema) for message in self.messages)
