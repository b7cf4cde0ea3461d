"""What the daemon does, for a monitor: ``/healthz`` and ``/metrics``."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from fleetslo.errors import OutputError, UsageError
from fleetslo.reports.scheduling.attempts import Ended
from fleetslo.reports.scheduling.groups import Group

# The daemon looks at its schedule four times a minute; one that did not for so long hangs.
_HANGS_S = 120.0


class Metrics:
    """The figures, in a registry of their own; labels are the names of reports in the schedule.

    ``made`` says when a report was last made before this daemon began.
    """

    def __init__(self, made: Mapping[str, datetime] | None = None) -> None:
        self.registry = CollectorRegistry()
        self._made = dict(made or {})
        report = ["report"]
        self._success = Gauge(
            "fleetslo_report_last_success_timestamp_seconds",
            "When all pages of a report were last made and published.",
            report,
            registry=self.registry,
        )
        self._duration = Gauge(
            "fleetslo_report_duration_seconds",
            "Time that the notebooks of a report took in its last batch, added up.",
            report,
            registry=self.registry,
        )
        self._failures = Counter(
            "fleetslo_report_failures_total",
            "Scheduled times at which a page of a report did not come to be.",
            report,
            registry=self.registry,
        )
        self._next = Gauge(
            "fleetslo_report_next_run_timestamp_seconds",
            "When a report is due next.",
            report,
            registry=self.registry,
        )
        self._bytes = Counter(
            "fleetslo_read_bytes_total",
            "Bytes that the questions of batches read.",
            registry=self.registry,
        )
        self._tell_failures = Counter(
            "fleetslo_tell_failures_total",
            "Times that not everybody could be told of a batch.",
            registry=self.registry,
        )
        self._untold = Gauge(
            "fleetslo_tell_waiting",
            "Batches that people could not be told of yet.",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "fleetslo_queue_length", "Batches that are due and wait.", registry=self.registry
        )
        self.running = Gauge(
            "fleetslo_batches_running", "Batches that run.", registry=self.registry
        )
        self.looked_s = time.monotonic()

    def planned(self, groups: Sequence[Group], now: datetime) -> None:
        """Keep when each report is due next, and forget those that are not in the schedule."""
        self.looked_s = time.monotonic()
        self._next.clear()
        for group in groups:
            due = group.timing.after(now).timestamp()
            for name in group.names:
                self._next.labels(name).set(due)
                self._failures.labels(name)
                if name in self._made:
                    self._success.labels(name).set(self._made.pop(name).timestamp())

    def ended(self, ended: Ended) -> None:
        """Count what became of a batch; a cancelled one is no failure."""
        for record in ended.records:
            self._bytes.inc(record.bytes_read or 0)
        if ended.outcome == "cancelled":
            return
        took: dict[str, float] = {}
        for record in ended.records:
            for job in record.jobs:
                took[job.entry] = took.get(job.entry, 0.0) + (job.duration_s or 0.0)
        for name in ended.due.group.names:
            if name in took:
                self._duration.labels(name).set(took[name])
            if name in ended.failed:
                self._failures.labels(name).inc()
            else:
                self._success.labels(name).set_to_current_time()

    def told(self, well: bool, waiting: int) -> None:
        """Count what could not be told."""
        if not well:
            self._tell_failures.inc()
        self._untold.set(waiting)


def listen_address(text: str) -> tuple[str, int]:
    """Return host and port; a port alone, with or without a colon, is on loopback.

    Raises:
        UsageError: it names no port.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--metrics {text!r} names no port; write 9108 or 0.0.0.0:9108")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def serving(
    metrics: Metrics, address: tuple[str, int], lengths: Callable[[], tuple[int, int]]
) -> Iterator[int]:
    """Serve the figures while the block runs, and give the port.

    ``lengths`` says how many batches wait, and how many run.

    Raises:
        OutputError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            metrics.waiting.set(lengths()[0])
            metrics.running.set(lengths()[1])
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/healthz":
                well = time.monotonic() - metrics.looked_s < _HANGS_S
                said = b"ok\n" if well else b"the schedule was not looked at for two minutes\n"
                self._answer(200 if well else 503, "text/plain", said)
            else:
                self._answer(404, "text/plain", b"ask for /metrics or /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has
            """Say nothing: a monitor asks every few seconds."""

    try:
        server = ThreadingHTTPServer(address, Handler)
    except OSError as error:
        raise OutputError(
            f"--metrics {address[0]}:{address[1]}: {error.strerror or error}; choose another port"
        ) from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
