"""A group's batches that take too long; what runs here stands in for a batch."""

import sys
from datetime import UTC, datetime

import pytest

from fleetslo import cli
from fleetslo.reports.scheduling import attempts
from fleetslo.reports.scheduling.attempts import Attempts
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.groups import Due, groups_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEEDS = "import time; time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {HEEDS}"


def run(tmp_path, monkeypatch, code, limit_s, retries=0):
    monkeypatch.setattr(attempts, "COMMAND", (sys.executable, "-c", code))
    monkeypatch.setattr(attempts, "_GRACE_S", 0.5)
    said, runs = [], []
    (group,) = groups_of([Entry(notebook="reports/x", name="x", page="x", retries=retries)])
    made = Attempts(
        tmp_path, trigger="schedule", first_wait_s=0.0, limit_s=limit_s, say=said.append
    )
    return made.run(Due(group, NOON), runs.append), said, runs


@pytest.mark.parametrize("code", [HEEDS, DEAF], ids=["it heeds SIGTERM", "it is deaf"])
def test_a_batch_that_hangs_is_ended_and_has_failed(tmp_path, monkeypatch, code):
    ended, said, runs = run(tmp_path, monkeypatch, code, 1.0)
    assert (ended.outcome, ended.failed) == ("failed", ["x"])
    assert said[0].endswith(f": run {runs[0]} is ended, it takes over 1 s")
    assert len(said) == 2


def test_one_that_was_ended_is_tried_again(tmp_path, monkeypatch):
    marker = tmp_path / "seen"
    once = (
        "import pathlib, time\n"
        f"seen = pathlib.Path({str(marker)!r})\n"
        "first = not seen.exists()\nseen.touch()\ntime.sleep(60 if first else 0)"
    )
    ended, said, runs = run(tmp_path, monkeypatch, once, 2.0, retries=1)
    assert (ended.outcome, list(ended.failed)) == ("ok", [])
    assert len(runs) == 2
    assert said[1].endswith("attempt 1 ended with exit code 130, the next in 0 s")


@pytest.mark.parametrize(
    "words", [["schedule"], ["backfill", "--from", "2026-10-01", "--to", "2026-10-01"]]
)
def test_a_limit_that_is_no_time_is_refused_before_anything_else(words, capsys):
    assert cli.run([*words, "--limit", "0h"]) == 2
    assert capsys.readouterr().err == (
        "fleetslo: --limit '0h' is no time; write a time such as 90s, 15m or 2h\n"
    )
