"""What goes wrong between here and BigQuery, on a real HTTP server that answers that way."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fleetslo.cli import run
from fleetslo.errors import WarehouseError, WarehouseMissing
from fleetslo.warehouse.bigquery.asking import TIB, Estimate, Patience
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

START, END = datetime(2026, 10, 4, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
QUICK = Patience(retry_s=0.5, first_delay_s=0.01, request_s=0.2, job_s=1)
ROWS = [["checkout", "1791072000000000", "1791075600000000", "42"]]
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


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.server.cancelled |= self.path.split("?")[0].endswith("/cancel")
        dry = asked.get("configuration", {}).get("dryRun", False)
        self.server.asked_dry.append(dry)
        reference = asked.get("jobReference") or {"projectId": "p", "jobId": "j"}
        job = {
            "jobReference": reference,
            "configuration": {"query": {"query": ""}, "dryRun": dry},
            "status": {"state": "RUNNING" if self.server.running else "DONE"},
            "statistics": {"query": {"totalBytesProcessed": "1000"}},
        }
        self._answer({**job, "job": job})  # a cancellation answers with the job inside

    def do_GET(self) -> None:
        job = {"projectId": "p", "jobId": "j"}
        if "/queries/" in self.path:
            fields = [dict(zip(("name", "type"), field.split(), strict=True)) for field in FIELDS]
            self._answer(
                {
                    "jobComplete": not self.server.running,
                    "jobReference": job,
                    "totalRows": str(self.server.total),
                    "schema": {"fields": fields},
                    "rows": [{"f": [{"v": value} for value in row]} for row in ROWS],
                }
            )
            return
        state = "RUNNING" if self.server.running else "DONE"
        self._answer(
            {
                "jobReference": job,
                "status": {"state": state},
                "configuration": {
                    "query": {
                        "query": "",
                        "destinationTable": {"projectId": "p", "datasetId": "d", "tableId": "t"},
                    }
                },
            }
        )

    def _answer(self, body: dict[str, Any]) -> None:
        time.sleep(self.server.delay_s)
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


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask() -> Any:
    place = BigQueryWarehouse("bigquery://p/d", patience=QUICK)
    try:
        return place.query("fleet/seen", start=START, end=END)
    finally:
        place.client.close()


def test_a_server_that_answers_is_read(server: Server) -> None:
    assert ask()["request_count"].to_list() == [42]


@pytest.mark.parametrize(
    "refusal",
    [
        (429, "rateLimitExceeded", "too many"),
        (500, "internalError", "oops"),
        (502, "badGateway", "oops"),
        (503, "backendError", "oops"),
    ],
)
def test_what_passes_is_asked_again(server: Server, refusal: tuple[int, str, str]) -> None:
    server.refusals = [refusal]
    assert ask()["request_count"].to_list() == [42]


@pytest.mark.parametrize(
    ("refusal", "kind", "says"),
    [
        (
            (401, "authError", "Invalid Credentials"),
            WarehouseMissing,
            "no longer good; run 'gcloud",
        ),
        ((403, "accessDenied", "Access Denied"), WarehouseError, "roles BigQuery Job User"),
        ((403, "quotaExceeded", "Quota exceeded"), WarehouseError, "quota is used up"),
        ((404, "notFound", "Not found: Table p:d.x"), WarehouseMissing, "queries/tables"),
        (
            (404, "notFound", "Not found: Dataset p:d was not found in location US"),
            WarehouseMissing,
            "set bigquery_location",
        ),
        ((503, "backendError", "oops"), WarehouseError, "ask again later"),
    ],
)
def test_what_stays_is_said_with_its_remedy(
    server: Server, refusal: tuple[int, str, str], kind: type[WarehouseError], says: str
) -> None:
    server.always = refusal
    with pytest.raises(kind, match=says):
        ask()


def test_a_slow_server_is_not_waited_for_without_end(server: Server) -> None:
    server.delay_s = 0.5
    with pytest.raises(WarehouseError, match="did not answer in time"):
        ask()


def test_a_job_that_does_not_end_is_cancelled(server: Server) -> None:
    server.running = True
    with pytest.raises(WarehouseError, match="did not answer in time"):
        ask()
    assert server.cancelled


def test_a_server_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as gone:
        port = gone.server_port
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(WarehouseError, match="did not answer in time"):
        ask()


def test_part_of_an_answer_is_not_taken_for_the_whole(server: Server) -> None:
    server.total = 2
    with pytest.raises(WarehouseError, match="1 of 2 rows arrived"):
        ask()


def test_a_dry_run_says_bytes_and_price_and_asks_nothing_else(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ["query", "fleet/seen", "--period", "2026-10", "--dry-run"]
    assert run([*question, "--warehouse", "bigquery://p/d"]) == 0
    assert capsys.readouterr().out == ("fleet/seen would read at most 1 kB, $0.0000 on demand\n")
    assert server.asked_dry == [True]


def test_a_dry_run_of_an_embedded_warehouse_is_refused(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["query", "fleet/seen", "--period", "2026-10", "--dry-run"]) == 2
    assert "costs nothing to ask" in capsys.readouterr().err


def test_a_price_counts_ten_mebibytes_for_each_table() -> None:
    # 2 TiB at 6.25 a TiB; 1,000 bytes of 2 tables are billed as 20 MiB, which is 20 / 1024**2 TiB
    assert Estimate(2 * TIB, 2).price(6.25) == 12.5
    assert Estimate(1000, 2).price(1024**2) == 20
    assert Estimate(0, 0).price(6.25) == 0
