"""A finished job's rows, piece by piece: the whole answer, or an error."""

import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import TableReference
    from google.cloud.bigquery.table import RowIterator
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.reader import ReadRowsStream

_GIB = 1024**3
_STREAMS = 4
"""Streams read at once; each holds a few messages of at most 10 MiB."""
_FEW_ROWS = 2000
"""So many rows take one request over REST, and two over the Storage Read API."""
_LOOK_S = 0.1
"""A thread whose pieces nobody takes looks this often whether it should end."""


class Reader:
    """Reads answers over the Storage Read API as Arrow, over REST where that is refused.

    Google's own reader of streams goes back to one that breaks off for a day, waits for ever for
    one that falls silent, and for a fifth of a second at the end of each answer.

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

    def pieces(
        self,
        rows: "RowIterator",
        table: "TableReference | None",
        name: str,
        *,
        in_order: bool = False,
    ) -> "Iterator[pa.Table]":
        """Yield the rows of an answer in pieces that fit in memory, at least one, maybe empty.

        Args:
            rows: the job's rows, none of them taken yet.
            table: where BigQuery keeps them for a day; None where a statement has none.
            name: the question, for messages.
            in_order: whether the order of rows is to be kept, which takes a single stream.

        Raises:
            WarehouseError: fewer or more rows arrived than the job counted. What was yielded
                before is then a part of nothing.
        """
        import pyarrow as pa

        total = rows.total_rows or 0
        if not total:
            yield rows.to_arrow(create_bqstorage_client=False)
            return
        arrived = 0
        for batch in self._batches(rows, table, 1 if in_order else _STREAMS):
            arrived += batch.num_rows
            yield pa.Table.from_batches([batch])
        if arrived != total:
            raise WarehouseError(
                f"query {name!r}: {arrived:,} of {total:,} rows arrived; "
                "the answer broke off and none of it is used: ask again"
            )

    def whole(self, pieces: "Iterator[pa.Table]", name: str) -> pl.DataFrame:
        """Return all pieces of an answer as one frame, made at the end.

        Making it of each piece would wait for the threads that read, at every one.

        Raises:
            WarehouseError: they would take more memory than is allowed; no more is read then.
        """
        import pyarrow as pa

        held: list[pa.Table] = []
        size = 0
        for piece in pieces:
            size += piece.nbytes
            if size > self.bytes_limit:
                held.clear()
                raise WarehouseError(
                    f"query {name!r}: the answer is larger than {self.bytes_limit / _GIB:.3g} GiB, "
                    "what may be held in memory; ask for a shorter period, fewer services or sums, "
                    "or raise the setting result_bytes_limit"
                )
            held.append(piece)
        return pl.DataFrame(pl.from_arrow(pa.concat_tables(held)))

    def _batches(
        self, rows: "RowIterator", table: "TableReference | None", streams: int
    ) -> "Iterator[pa.RecordBatch]":
        from google.api_core.exceptions import Forbidden

        if self.storage and table and (rows.total_rows or 0) > _FEW_ROWS:
            try:
                session = self._session(self.storage, table, streams)
            except Forbidden as error:
                self.storage = None
                warnings.warn(
                    f"the Storage Read API is refused ({error.message}); answers come over REST, "
                    "which is slower: the role BigQuery Read Session User allows it",
                    stacklevel=2,
                )
            else:
                yield from self._streamed(session)
                return
        yield from rows.to_arrow_iterable()

    def _session(
        self, storage: "Callable[[], BigQueryReadClient]", table: "TableReference", streams: int
    ) -> Any:
        from google.cloud.bigquery_storage_v1 import types

        if self._client is None:
            self._client = storage()
        options = types.ArrowSerializationOptions(
            buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
        )
        return self._client.create_read_session(
            parent=f"projects/{table.project}",
            read_session=types.ReadSession(
                table=table.to_bqstorage(),
                data_format=types.DataFormat.ARROW,
                read_options={"arrow_serialization_options": options},
            ),
            max_stream_count=streams,
            retry=self._retry(),
            timeout=self.patience_s,
        )

    def _streamed(self, session: Any) -> "Iterator[pa.RecordBatch]":
        """Yield what the streams of a session hold, each read by a thread of its own.

        Raises:
            TimeoutError: none of them gave anything for as long as is waited.
        """
        import pyarrow as pa

        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        arrived: queue.Queue[Any] = queue.Queue(2 * len(session.streams))
        unwanted = threading.Event()
        opened: list[ReadRowsStream] = []

        def give(item: Any) -> None:
            while not unwanted.is_set():
                try:
                    arrived.put(item, timeout=_LOOK_S)
                except queue.Full:
                    continue
                return

        def read(name: str) -> None:
            try:
                stream: Any = self._client.read_rows(name, retry=self._retry())  # type: ignore[union-attr]
                opened.append(stream)
                for message in stream:
                    rows = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                    give(pa.ipc.read_record_batch(rows, schema))
                    if unwanted.is_set():
                        return
                give(None)
            except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
                give(error)

        for one in session.streams:
            threading.Thread(target=read, args=(one.name,), daemon=True).start()
        running = len(session.streams)
        try:
            while running:
                try:
                    item = arrived.get(timeout=self.patience_s)
                except queue.Empty:
                    raise TimeoutError from None
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            unwanted.set()
            for each in opened:
                each.cancel()  # type: ignore[no-untyped-call]

    def _retry(self) -> Any:
        from google.api_core import exceptions, retry

        passing = retry.if_exception_type(
            exceptions.ServiceUnavailable, exceptions.InternalServerError
        )
        return retry.Retry(passing, initial=0.1, timeout=self.patience_s)
