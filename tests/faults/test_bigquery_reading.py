"""Answers over the Storage Read API, from a real gRPC server that gives them, or breaks off."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.cloud.bigquery_storage_v1 import types
from tests.answering_server import Server, served

from fleetslo.errors import WarehouseError
from fleetslo.warehouse.bigquery.asking import Patience
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.watching import Silence

PAGES, PAGE = 3, 1000
ROWS = PAGES * PAGE
START, END = datetime(2026, 10, 4, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
QUICK = Patience(retry_s=1, first_delay_s=0.01, request_s=1, job_s=5)
SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
SCHEMA = pa.schema(
    [
        ("service", pa.string()),
        ("first_hour", pa.timestamp("us", "UTC")),
        ("last_hour", pa.timestamp("us", "UTC")),
        ("request_count", pa.int64()),
    ]
)


class Streams(grpc.GenericRpcHandler):
    """One stream of ``pages`` with ``PAGE`` rows each; ``breaks`` may end it before a page."""

    def __init__(self) -> None:
        self.pages, self.refused = PAGES, False
        self.breaks: Callable[[int, grpc.ServicerContext], None] = lambda page, context: None
        self.sent = 0

    def service(self, details: Any) -> Any:
        if details.method == f"/{SERVICE}/CreateReadSession":
            return grpc.unary_unary_rpc_method_handler(
                self.session,
                types.CreateReadSessionRequest.deserialize,
                types.ReadSession.serialize,
            )
        return grpc.unary_stream_rpc_method_handler(
            self.rows, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        )

    def session(self, request: Any, context: grpc.ServicerContext) -> types.ReadSession:
        if self.refused:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no bigquery.readsessions.create")
        return types.ReadSession(
            name="s",
            streams=[types.ReadStream(name="s/one")],
            arrow_schema=types.ArrowSchema(serialized_schema=SCHEMA.serialize().to_pybytes()),
        )

    def rows(self, request: Any, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        for page in range(request.offset // PAGE, self.pages):
            self.breaks(page, context)
            names = [f"service-{page * PAGE + row:07}" for row in range(PAGE)]
            times = [START] * PAGE, [END] * PAGE
            batch = pa.record_batch([names, *times, [42] * PAGE], schema=SCHEMA)
            self.sent += 1
            yield types.ReadRowsResponse(
                row_count=PAGE,
                arrow_record_batch=types.ArrowRecordBatch(
                    serialized_record_batch=batch.serialize().to_pybytes()
                ),
                arrow_schema=types.ArrowSchema(serialized_schema=SCHEMA.serialize().to_pybytes()),
            )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of an answer with more rows than one request should fetch."""
    with served(monkeypatch) as server:
        server.total, server.more_pages = ROWS, True
        yield server


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    """The Storage Read API beside that server."""
    handler = Streams()
    rpc = grpc.server(ThreadPoolExecutor(4), handlers=[handler])
    port = rpc.add_insecure_port("127.0.0.1:0")
    rpc.start()
    monkeypatch.setenv("FLEETSLO_BIGQUERY_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}")
    yield handler
    rpc.stop(0).wait()


def opened(patience: Patience = QUICK) -> BigQueryWarehouse:
    return BigQueryWarehouse("bigquery://p/d", patience=patience)


def ask(place: BigQueryWarehouse) -> Any:
    try:
        return place.query("fleet/seen", start=START, end=END)
    finally:
        place.client.close()


def test_all_pages_of_a_stream_are_the_answer(server: Server, streams: Streams) -> None:
    frame = ask(opened())
    assert frame["service"].to_list() == [f"service-{number:07}" for number in range(ROWS)]
    assert streams.sent == 3


def test_pieces_are_cast_and_counted(server: Server, streams: Streams) -> None:
    place = opened()
    pieces = list(place.batches("fleet/seen", start=START, end=END))
    assert [piece.height for piece in pieces] == [PAGE] * PAGES
    last = place.asker.last
    assert last is not None
    assert (last.name, last.row_count, last.bytes_processed) == ("fleet/seen", ROWS, 1000)
    place.client.close()


def test_a_stream_that_breaks_off_now_and_then_is_taken_up_where_it_was(
    server: Server, streams: Streams
) -> None:
    broken = iter([True, False, False])

    def once(page: int, context: grpc.ServicerContext) -> None:
        if page == 1 and next(broken):
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone for a moment")

    streams.breaks = once
    assert ask(opened())["service"].n_unique() == ROWS


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED]
)
def test_a_stream_that_stays_broken_is_one_error_and_no_part_of_an_answer(
    server: Server, streams: Streams, status: grpc.StatusCode
) -> None:
    streams.breaks = lambda page, context: context.abort(status, "gone") if page == 2 else None
    with pytest.raises(WarehouseError, match=r"did not answer in time|gone"):
        ask(opened())


def test_a_stream_that_ends_early_is_one_error(server: Server, streams: Streams) -> None:
    streams.pages = 2
    with pytest.raises(WarehouseError, match="2,000 of 3,000 rows arrived"):
        ask(opened())


def test_a_stream_that_falls_silent_is_not_waited_for_without_end(
    server: Server, streams: Streams
) -> None:
    over = threading.Event()
    streams.breaks = lambda page, context: over.wait(30) and None if page == 1 else None
    try:
        with pytest.raises(WarehouseError, match="did not answer in time"):
            ask(opened())
    finally:
        over.set()


def test_an_answer_larger_than_memory_stops_before_it_is_read(
    server: Server, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1,000 rows of two instants and a number are 24,000 bytes, and their names come on top
    monkeypatch.setenv("FLEETSLO_RESULT_BYTES_LIMIT", "100000")
    server.total, streams.pages = 1000 * PAGE, 1000
    with pytest.raises(WarehouseError, match="raise the setting result_bytes_limit"):
        ask(opened())
    assert streams.sent < 1000


def test_a_refused_storage_api_leaves_rest(server: Server, streams: Streams) -> None:
    streams.refused = True
    place = opened()
    with pytest.warns(UserWarning, match="BigQuery Read Session User"):
        frame = place.query("fleet/seen", start=START, end=END)
    assert frame.height == ROWS
    # warnings are errors in tests: a second one would fail here
    assert ask(place).height == ROWS


def test_a_small_answer_takes_rest(server: Server, streams: Streams) -> None:
    server.total, server.more_pages, streams.refused = 1, False, True
    assert ask(opened()).height == 1


def test_a_watcher_hears_of_every_step(server: Server, streams: Streams) -> None:
    heard: list[str] = []

    class Listener(Silence):
        def estimated(self, name: str, byte_count: int) -> None:
            heard.append(f"at most {byte_count}")

        def running(self, name: str, seconds: float, done: float | None) -> None:
            heard.append(f"running {done}")
            server.running = False

        def reading(self, name: str, row_count: int, total: int) -> None:
            heard.append(f"{row_count} of {total}")

        def answered(self, asked: Any) -> None:
            heard.append(f"{asked.row_count} rows, cache {asked.cache_hit}")

    server.running = True
    place = opened()
    place.watch(Listener())
    ask(place)
    # 3 of 4 units known by then are completed
    assert heard == [
        "at most 1000", "running 0.75", "1000 of 3000", "2000 of 3000",
        "3000 of 3000", "3000 rows, cache True",
    ]  # fmt: skip
