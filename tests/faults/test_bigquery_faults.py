"""What goes wrong between here and BigQuery, on a real HTTP server that answers that way."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.answering_server import FIELDS, Server, served

from fleetslo.cli import run
from fleetslo.commands.asking import TerminalWatcher
from fleetslo.errors import MigrationNeeded, UsageError, WarehouseError, WarehouseMissing
from fleetslo.warehouse.bigquery.asking import TIB, Estimate, Patience
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

START, END = datetime(2026, 10, 4, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
QUICK = Patience(retry_s=0.5, first_delay_s=0.01, request_s=0.2, job_s=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(monkeypatch) as server:
        yield server


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


@pytest.mark.parametrize(
    ("types", "says"),
    [
        ({"request_count": ""}, r"table requests_hourly has no column 'request_count' \(INT64\)"),
        (
            {"hour": "STRING"},
            "column 'hour' of table requests_hourly is STRING, not TIMESTAMP",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_named_with_its_column(
    server: Server, types: dict[str, str], says: str
) -> None:
    server.types, server.wrong = {"requests_hourly": types}, "Unrecognized name: x at [3:5]"
    with pytest.raises(MigrationNeeded, match=f"{says}.*'fleetslo warehouse create'.*--change"):
        ask()


def test_an_answer_of_another_type_is_traced_to_its_table(server: Server) -> None:
    server.fields = [FIELDS[0], "first_hour STRING", *FIELDS[2:]]
    server.types = {"requests_hourly": {"hour": "STRING"}}
    with pytest.raises(MigrationNeeded, match="of table requests_hourly is STRING, not TIMESTAMP"):
        ask()


def test_a_wrong_query_over_tables_that_fit_is_said_as_it_is(server: Server) -> None:
    server.wrong = "Unrecognized name: x at [3:5]"
    with pytest.raises(
        WarehouseError, match=r"'fleet/seen': Unrecognized name: x at \[3:5\] \(job"
    ):
        ask()


def test_a_query_without_bounds_is_told_how_to_have_them(server: Server) -> None:
    server.wrong = (
        "Cannot query over table 'p.d.requests' without a filter over column(s) 'minute' "
        "that can be used for partition elimination"
    )
    with pytest.raises(WarehouseError, match=r"all days of p\.d\.requests; bound .* minute >= …"):
        BigQueryWarehouse("bigquery://p/d", patience=QUICK).sql("SELECT service FROM requests")


def test_a_missing_table_is_said_with_what_makes_it(server: Server) -> None:
    server.always = (404, "notFound", "Not found: Table p:d.x was not found in location EU")
    with pytest.raises(WarehouseMissing, match="'fleetslo warehouse create' makes"):
        ask()


def test_the_same_question_is_sent_in_the_same_bytes(server: Server) -> None:
    place = BigQueryWarehouse("bigquery://p/d", patience=QUICK)
    zone = ZoneInfo("Europe/Stockholm")
    place.query("fleet/seen", start=START, end=END, services=["a", "b", "c"])
    place.query(
        "fleet/seen",
        services=["c", "a", "b", "a"],
        end=END.astimezone(zone),
        start=START.astimezone(zone),
    )
    place.client.close()
    sent = [json.dumps(one["query"]) for one in server.configurations if not one.get("dryRun")]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert "useQueryCache" not in sent[0]  # its default, true


def test_sql_goes_as_it_is_typed_with_the_types_of_its_values(server: Server) -> None:
    place = BigQueryWarehouse("bigquery://p/d", patience=QUICK)
    text = "SELECT service FROM requests WHERE minute >= @start AND service IN UNNEST(@names)"
    assert place.sql(text, start=START, names=["b", "a"])["request_count"].to_list() == [42]
    place.client.close()
    sent = server.configurations[-1]["query"]
    assert sent["query"] == text
    names, start = sent["queryParameters"]
    assert names["parameterType"] == {"type": "ARRAY", "arrayType": {"type": "STRING"}}
    assert [one["value"] for one in names["parameterValue"]["arrayValues"]] == ["b", "a"]
    assert start["parameterValue"]["value"] == "2026-10-04 00:00:00+00:00"


def test_sql_that_changes_something_is_not_sent(server: Server) -> None:
    with pytest.raises(UsageError, match="DELETE is not a question"):
        BigQueryWarehouse("bigquery://p/d", patience=QUICK).sql("DELETE FROM requests WHERE true")
    assert server.asked_dry == []


def test_a_terminal_says_what_a_question_cost(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", "bigquery://p/d")
    watcher = TerminalWatcher(6.25)
    place = BigQueryWarehouse("bigquery://p/d", patience=QUICK)
    place.watch(watcher)
    place.query("fleet/seen", start=START, end=END)
    watcher.close()
    place.client.close()
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        "fleet/seen: 1 row in .*; answered by BigQuery's cache, which costs nothing\n", said.err
    )
