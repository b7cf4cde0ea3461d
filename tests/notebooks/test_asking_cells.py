"""What a cell shows and asks when it asks BigQuery: a real kernel, and a server on loopback."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from tests.answering_server import Server, served

WAIT_S = 60
ASK = """import datetime, fleetslo as fs
fleet = fs.open_fleet("bigquery://p/d")
period = fs.Period(datetime.datetime(2026, 10, 4, tzinfo=datetime.UTC),
                   datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC))
"""
SEEN = 'print(fleet.query("fleet/seen", period=period).height)'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(monkeypatch) as server:
        yield server


class Cells:
    """A kernel that runs cells, and answers what they ask with ``reply``."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env={**os.environ, "IPYTHONDIR": str(folder)})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WAIT_S)
        self.questions: list[str] = []

    def run(self, code: str, reply: str | None = None) -> list[tuple[str, Any]]:
        """Return what a cell puts out, as (kind, text); ``reply`` None: nobody is there."""

        def told(message: dict[str, Any]) -> None:
            self.questions.append(message["content"]["prompt"])
            self.client.input(reply)

        outputs: list[tuple[str, Any]] = []

        def heard(message: dict[str, Any]) -> None:
            content = message["content"]
            kind = message["msg_type"]
            if kind in ("display_data", "update_display_data"):
                outputs.append((kind, content["data"]))
            elif kind == "stream":
                outputs.append((content["name"], content["text"].strip()))
            elif kind == "error":
                outputs.append((kind, content["evalue"]))

        self.client.execute_interactive(
            code,
            allow_stdin=reply is not None,
            stdin_hook=told,
            output_hook=heard,
            timeout=WAIT_S,
        )
        return outputs

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def cells(server: Server, tmp_path: Path) -> Iterator[Cells]:
    found = Cells(tmp_path)
    yield found
    found.end()


def test_a_cell_shows_one_line_that_ends_in_what_its_questions_cost(cells: Cells) -> None:
    outputs = cells.run(ASK + SEEN, reply="")
    shown = [data for kind, data in outputs if kind.endswith("display_data")]
    assert [kind for kind, _ in outputs].count("display_data") == 1
    assert shown[0]["text/plain"].startswith("fleet/seen: reads at most 1")
    assert shown[-1]["text/html"].startswith('<div role="status"')
    assert "1 row in" in shown[-1]["text/plain"]
    assert "answered by BigQuery's cache, which costs nothing" in shown[-1]["text/plain"]
    assert ("stdout", "1") in outputs
    both = cells.run(f"{SEEN}\n{SEEN}", reply="")
    last = [data["text/plain"] for kind, data in both if kind.endswith("display_data")][-1]
    # each reads 1,000 bytes and the cache answers both
    assert last.startswith("2 questions: 2 rows in")
    assert last.endswith("2 answered by the cache")


def test_a_cell_asks_before_a_question_over_the_limit(cells: Cells, server: Server) -> None:
    cells.run(ASK, reply="")
    server.dry_bytes = 2 * 1024**4
    refused = cells.run(SEEN, reply="n")
    # 2 TiB at 6.25 dollars
    assert "would read 2048.0 GiB, $12.5000 on demand" in cells.questions[0]
    assert any(kind == "error" and "over the limit" in text for kind, text in refused)
    assert ("stdout", "1") in cells.run(SEEN, reply="y")
    assert len(cells.questions) == 2


def test_nobody_is_asked_and_nothing_shown_where_no_person_sits(
    cells: Cells, server: Server
) -> None:
    assert cells.run(ASK + SEEN) == [("stdout", "1")]
    server.dry_bytes = 2 * 1024**4
    (said,) = cells.run(SEEN)
    assert said[0] == "error"
    assert "over the limit of 200.0 GiB" in said[1]
    assert cells.questions == []
