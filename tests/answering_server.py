"""A real HTTP server that answers Google's client as BigQuery does, or as a test tells it to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fleetslo.warehouse.contracts import read_contracts

ROWS = [["checkout", "1791072000000000", "1791075600000000", "42"]]
HELD = {"projectId": "p", "datasetId": "d", "tableId": "t"}
BUCKETS = [{"name": "bucket", "type": "INTEGER"}, {"name": "count", "type": "INTEGER"}]
FIELDS = ["service STRING", "first_hour TIMESTAMP", "last_hour TIMESTAMP", "request_count INT64"]


class Server(ThreadingHTTPServer):
    """Answers a dry run and a query; ``refusals`` are answered first, ``always`` again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refusals: list[tuple[int, str, str]] = []
        self.always: tuple[int, str, str] | None = None
        self.total, self.delay_s, self.running = 1, 0.0, False
        self.cancelled = False
        self.asked_dry: list[bool] = []
        self.configurations: list[dict[str, Any]] = []
        self.dry_bytes, self.more_pages, self.wrong = 1000, False, ""
        self.fields = FIELDS
        self.types: dict[str, dict[str, str]] = {}


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.server.cancelled |= self.path.split("?")[0].endswith("/cancel")
        dry = asked.get("configuration", {}).get("dryRun", False)
        self.server.asked_dry.append(dry)
        self.server.configurations.append(asked.get("configuration", {}))
        if self.server.wrong:
            self._answer({}, (400, "invalidQuery", self.server.wrong))
            return
        reference = asked.get("jobReference") or {"projectId": "p", "jobId": "j"}
        job = {
            "jobReference": reference,
            "configuration": {"query": {"query": "", "destinationTable": HELD}, "dryRun": dry},
            "status": {"state": "RUNNING" if self.server.running else "DONE"},
            "statistics": self._statistics(dry),
        }
        self._answer({**job, "job": job})  # a cancellation answers with the job inside

    def _statistics(self, dry: bool) -> dict[str, Any]:
        work = {"completedUnits": "3", "activeUnits": "1", "pendingUnits": "0", "elapsedMs": "9"}
        size = str(self.server.dry_bytes)
        query = {"totalBytesProcessed": size, "timeline": [work], "cacheHit": not dry}
        return {"totalBytesProcessed": size, "query": query}

    def _table(self, name: str) -> dict[str, Any]:
        """Return a table as its contract has it, with ``types`` of the server in place of those."""
        types = {one.name: str(one.type) for one in read_contracts()[name].columns}
        types |= self.server.types.get(name, {})
        fields = [
            {"name": column, "type": "RECORD", "mode": "REPEATED", "fields": BUCKETS}
            if kind.startswith("ARRAY")
            else {"name": column, "type": kind, "mode": "NULLABLE"}
            for column, kind in types.items()
            if kind
        ]
        where = {"projectId": "p", "datasetId": "d", "tableId": name}
        return {"tableReference": where, "schema": {"fields": fields}}

    def do_GET(self) -> None:
        job = {"projectId": "p", "jobId": "j"}
        path = self.path.split("?")[0]
        if "/tables/" in path and not path.endswith("/data"):
            self._answer(self._table(path.rpartition("/")[2]))
            return
        if "pageToken=more" in self.path:
            row = {"f": [{"v": value} for value in ROWS[0]]}
            total = self.server.total
            self._answer(
                {"totalRows": str(total), "jobComplete": True, "rows": [row] * (total - 1)}
            )
            return
        if "/queries/" in self.path:
            fields = [
                dict(zip(("name", "type"), field.split(), strict=True))
                for field in self.server.fields
            ]
            self._answer(
                {
                    "jobComplete": not self.server.running,
                    "jobReference": job,
                    "totalRows": str(self.server.total),
                    "schema": {"fields": fields},
                    "rows": [{"f": [{"v": value} for value in row]} for row in ROWS],
                    **({"pageToken": "more"} if self.server.more_pages else {}),
                }
            )
            return
        state = "RUNNING" if self.server.running else "DONE"
        self._answer(
            {
                "jobReference": job,
                "status": {"state": state},
                "statistics": self._statistics(dry=False),
                "configuration": {"query": {"query": "", "destinationTable": HELD}},
            }
        )

    def _answer(self, body: dict[str, Any], refusal: tuple[int, str, str] | None = None) -> None:
        time.sleep(self.server.delay_s)
        if refusal is None:
            refusal = self.server.refusals.pop(0) if self.server.refusals else self.server.always
        status = 200
        if refusal:
            status, reason, says = refusal
            body = {"error": {"code": status, "message": says, "errors": [{"reason": reason}]}}
        sent = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)
        except BrokenPipeError:
            pass  # the client waited no longer

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, which the settings name."""
    with Server() as server:
        monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
