"""The record of a run says what was asked for and what came of it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from fleetslo.errors import OutputError, WarehouseMissing
from fleetslo.reports.artefacts import made
from fleetslo.reports.jobs import Failure, Head, Job, Result
from fleetslo.reports.manifest import Manifest, call_killed, is_live, new_run_id
from fleetslo.reports.records.model import Publication
from fleetslo.reports.records.reading import read_run


def jobs(folder):
    source = folder / "one.ipynb"
    source.write_text("{}")
    return {
        path: Job("reports/one", source, f"one/{path}", path, "one", path, "2026-10-04/2026-11-01",
                  "2026-11-01", {"service": path, "since": date(2026, 10, 1)})
        for path in ("good", "bad", "open")
    }  # fmt: skip


def test_a_run_id_sorts_by_time_and_is_never_given_twice():
    one, other = new_run_id(), new_run_id()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", one)
    assert one != other


def test_the_record(tmp_path):
    home = tmp_path / "home"
    with Manifest(home, "run", tmp_path, as_of="2026-11-01", jobs=jobs(tmp_path)) as manifest:
        began = json.loads(manifest.path.read_text())
        assert (began["outcome"], began["ended_at"]) == ("running", None)
        assert {job["outcome"] for job in began["jobs"]} == {None}
        executed = manifest.folder / "notebooks" / "x.ipynb"
        executed.parent.mkdir()
        executed.write_text("abc")
        head = Head("A", "met", "s", {"sli": 1, "half \udc80": "\ud800"})
        manifest.note(
            "good", Result("ok", 1.23456, executed, None, head, (None, 0.5), 7,
                           (made("notebook", executed),))
        )  # fmt: skip
        manifest.note(
            "bad", Result("killed", 2.0, failure=Failure(4, 9, "E", "m" * 99_999, line=2, traceback=("t",)))
        )  # fmt: skip
        page = tmp_path / "elsewhere.html"
        page.write_text("<!doctype html>")
        manifest.pages = {"good": made("page", page)}
        manifest.publication = Publication(release="run", store="gs://b/p")
        manifest.write("failed")
    record = json.loads(manifest.path.read_text())
    assert (record["run_id"], record["as_of"], record["outcome"]) == ("run", "2026-11-01", "failed")
    assert record["publication"] == {"release": "run", "store": "gs://b/p"}
    assert record["failure"] is None
    assert record["host"]["versions"]["pydantic"]
    good, bad, left = record["jobs"]
    assert good["parameters"] == {"service": "good", "since": "2026-10-01"}
    assert good["interval"] == {
        "start": "2026-10-04T00:00:00.000Z",
        "end": "2026-11-01T00:00:00.000Z",
        "zone": "UTC",
    }
    assert (good["outcome"], good["duration_s"], good["failure"]) == ("ok", 1.235, None)
    assert (good["cell_durations_s"], good["peak_memory_bytes"]) == ([None, 0.5], 7)
    assert (good["verdict"], good["headline"]["sli"]) == ("met", 1)
    assert good["headline"]["half \\udc80"] == "\\ud800"  # no file can hold half a character
    # printf '{}' | sha256sum
    assert good["notebook_sha256"].startswith("44136fa355b3678a")
    assert good["artefacts"] == [
        {
            "kind": "notebook",
            "path": "runs/run/notebooks/x.ipynb",
            "sha256": hashlib.sha256(b"abc").hexdigest(),
            "size_bytes": 3,
        },
        {
            "kind": "page",
            "path": str(page),
            "sha256": hashlib.sha256(b"<!doctype html>").hexdigest(),
            "size_bytes": 15,
        },
    ]
    told = {name: value for name, value in bad["failure"].items() if name != "message"}
    assert told == {"cell": 4, "line": 2, "error": "E", "traceback": ["t"]}
    assert bad["failure"]["message"] == "m" * 20_000  # an error may hold all of its data
    assert left["outcome"] is None
    assert [path.name for path in manifest.folder.iterdir()] == ["notebooks", "manifest.json"]


def test_what_ended_a_run_early_is_in_its_record(tmp_path):
    with (
        pytest.raises(WarehouseMissing),
        Manifest(tmp_path, "lost", tmp_path) as lost,
    ):
        raise WarehouseMissing("there is none")
    assert read_run(tmp_path, "lost").outcome == "failed"
    assert lost.path.is_file()
    failure = read_run(tmp_path, "lost").failure
    assert failure is not None
    assert (failure.error, failure.message) == ("WarehouseMissing", "there is none")
    with pytest.raises(KeyboardInterrupt), Manifest(tmp_path, "stopped", tmp_path):
        raise KeyboardInterrupt
    assert read_run(tmp_path, "stopped").outcome == "cancelled"
    assert read_run(tmp_path, "stopped").failure is None


KILLED = """
import os, sys
from pathlib import Path
from fleetslo.reports.jobs import Job, Result
from fleetslo.reports.manifest import Manifest

home = Path(sys.argv[1])
jobs = {path: Job("n", home, path, path, "one", None, "", "", {}) for path in ("a", "b")}
with Manifest(home, "run", home, jobs=jobs) as manifest:
    (manifest.folder / "running" / "deep").mkdir(parents=True)
    manifest.note("a", Result("ok", 1.0))
    while '"ok"' not in manifest.path.read_text():
        manifest.keep_up()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_run_is_called_so_and_says_which_jobs_were_done(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    assert is_live(tmp_path, "run")
    call_killed(tmp_path)
    assert read_run(tmp_path, "run").outcome == "running"
    process.kill()
    process.communicate(timeout=30)
    assert not is_live(tmp_path, "run")
    before = read_run(tmp_path, "run")
    call_killed(tmp_path)
    record = read_run(tmp_path, "run")
    assert record.outcome == "killed"
    assert record.ended_at == before.written_at
    assert [job.outcome for job in record.jobs] == ["ok", None]
    assert [path.name for path in (tmp_path / "runs" / "run").iterdir()] == ["manifest.json"]


def test_a_record_that_cannot_be_written_hides_no_error(tmp_path):
    with Manifest(tmp_path, "run", tmp_path) as manifest:
        manifest.path.unlink()
        manifest.path.mkdir()  # in the way
        manifest.fail(WarehouseMissing("the first"))
        with pytest.raises(OutputError, match="a folder stands where a file is needed"):
            manifest.write("failed")


def test_what_was_never_begun_leaves_nothing(tmp_path):
    with Manifest(tmp_path, "run", tmp_path) as manifest:
        manifest.discard()
    assert list(Path(tmp_path, "runs").iterdir()) == []
