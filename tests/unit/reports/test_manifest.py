"""The record of a run says what was asked for and what came of it."""

import json
import re
from datetime import date
from pathlib import Path

from fleetslo.reports.jobs import Failure, Head, Job, Result
from fleetslo.reports.manifest import Manifest, new_run_id


def test_a_run_id_sorts_by_time_and_is_never_given_twice():
    one, other = new_run_id(), new_run_id()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", one)
    assert one != other


def test_the_record(tmp_path):
    jobs = {
        path: Job("reports/one", Path("/src"), f"one/{path}", path, "one", path, "2026-10-04/2026-11-01",
                  "2026-11-01", {"service": path, "since": date(2026, 10, 1)})
        for path in ("good", "bad", "open")
    }  # fmt: skip
    manifest = Manifest(tmp_path, "run", "2026-11-01", jobs)
    manifest.write("running")
    assert json.loads(manifest.path.read_text())["ended_at"] is None
    manifest.results["good"] = Result(
        "ok", 1.23456, tmp_path / "notebooks" / "x.ipynb", None, Head("A", "met", "s", {"sli": 1}), (None, 0.5)
    )  # fmt: skip
    manifest.results["bad"] = Result(
        "killed", 2.0, failure=Failure(4, 9, "E", "m", line=2, traceback=("t",))
    )
    record = json.loads(manifest.write("failed", Path("/site/releases/run")).read_text())
    assert (record["run_id"], record["as_of"], record["outcome"]) == ("run", "2026-11-01", "failed")
    assert record["release"] == "run"
    good, bad, left = record["jobs"]
    assert good["parameters"] == {"service": "good", "since": "2026-10-01"}
    assert (good["outcome"], good["duration_s"], good["failure"]) == ("ok", 1.235, None)
    assert good["executed"] == "notebooks/x.ipynb"
    assert (good["verdict"], good["headline"]) == ("met", {"sli": 1})
    assert good["cell_durations_s"] == [None, 0.5]
    assert bad["failure"] == {
        "cell": 4,
        "line": 2,
        "error": "E",
        "message": "m",
        "traceback": ["t"],
    }
    assert left["outcome"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
