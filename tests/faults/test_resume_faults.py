"""A batch goes on where it was killed, batches take turns, and nothing is done twice."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from fault_project import gone, wait_for

RUN = """
import sys
from fleetslo.errors import FleetsloError
from fleetslo.reports.batch import run_batch
from fleetslo.reports.keys import keyed
from fleetslo.reports.manifest import Manifest, new_run_id
from fleetslo.reports.schedule import plan_jobs, read_schedule
from fleetslo.reports.turns import turn
from fleetslo.settings import load_settings

class Stored:
    def fingerprint(self):
        return "the same data"

settings = load_settings({"jobs": 2}).settings
jobs = plan_jobs(read_schedule(), as_of="2026-11-01", subjects=lambda entry: sys.argv[3:])
run_id = new_run_id()
try:
    with (
        turn(settings.home, run_id, shard=sys.argv[1], wait=sys.argv[2] == "wait"),
        Manifest(settings.home, run_id, settings.project) as manifest,
    ):
        done = run_batch(keyed(jobs, settings, Stored()), settings, manifest=manifest)
    print(len(done.results), done.unchanged)
except FleetsloError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""

# Tells that it ran; "slow" goes on until a file is there.
COUNTED = """
import os, time
from pathlib import Path
with open("ran.txt", "a") as file:
    file.write(service + "\\n")
Path(f"{service}.pid").write_text(f"{os.getpid()} {os.getppid()}")
while service.startswith("slow") and not Path("go").exists():
    time.sleep(0.02)
"""
PAGE = "2026-10-04_2026-11-01/one/{}.html"


class Batches:
    """Batches of a project, in processes of their own."""

    def __init__(self, project):
        self.project = project
        project.report(COUNTED)

    def start(self, *services, shard="", wait=False):
        command = [sys.executable, "-c", RUN, shard, "wait" if wait else "", *services]
        environ = {**os.environ, "TMPDIR": str(self.project.scratch)}
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.project.folder, env=environ, **out)

    def run(self, *services):
        batch = self.start(*services)
        said, complained = batch.communicate(timeout=120)
        assert (batch.returncode, complained) == (0, "")
        return tuple(map(int, said.split()))

    @property
    def ran(self):
        path = self.project.folder / "ran.txt"
        return sorted(path.read_text().split()) if path.exists() else []

    def go(self):
        (self.project.folder / "go").touch()

    def kept(self, count):
        executed = self.project.home / "executed"
        wait_for(lambda: len(list(executed.glob("[!.]*.ipynb"))) == count)

    def outcomes(self):
        paths = sorted((self.project.home / "runs").glob("*/manifest.json"))
        return sorted(json.loads(path.read_text())["outcome"] for path in paths)

    def inodes(self):
        current = (self.project.home / "site" / "current").resolve()
        return current.name, {path.name: path.stat().st_ino for path in current.rglob("*.html")}


@pytest.fixture
def batches(project):
    return Batches(project)


@pytest.mark.long
def test_nothing_is_run_drawn_or_published_twice(batches):
    assert batches.run("a", "b") == (2, 0)
    before = batches.inodes()
    assert batches.run("a", "b") == (2, 2)
    assert batches.inodes() == before
    assert batches.ran == ["a", "b"]
    assert batches.run("a", "b", "c") == (3, 2)  # one page more, and one notebook
    assert batches.ran == ["a", "b", "c"]
    batches.project.report(COUNTED, "'another cell'")
    assert batches.run("a", "b", "c") == (3, 0)
    assert batches.ran == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize("victim", ["runner", pytest.param("parent", marks=pytest.mark.long)])
def test_a_batch_that_was_killed_goes_on_where_it_stopped(batches, victim):
    assert batches.run("x") == (1, 0)
    site = batches.project.site()
    batch = batches.start("a", "b", "slow")
    batches.kept(3)
    wait_for(lambda: (batches.project.folder / "slow.pid").is_file())
    child, parent = map(int, (batches.project.folder / "slow.pid").read_text().split())
    family = psutil.Process(batch.pid).children(recursive=True)
    if victim == "runner":
        batch.send_signal(signal.SIGKILL)
        batch.communicate(timeout=30)
        assert batches.project.site() == site
        for process in family:
            wait_for(lambda pid=process.pid: gone(pid), 10)
        expected = ["killed", "ok", "ok"]
    else:
        os.kill(parent, signal.SIGKILL)
        _, said = batch.communicate(timeout=60)
        assert batch.returncode == 51
        assert said.startswith("1 of 3 reports failed; the other 2 are published")
        expected = ["failed", "ok", "ok"]
    wait_for(lambda: gone(child), 10)
    batches.go()
    assert batches.run("a", "b", "slow") == (3, 2)
    assert batches.ran == ["a", "b", "slow", "slow", "x"]
    assert batches.outcomes() == expected
    assert set(batches.project.site()) >= {PAGE.format(name) for name in ("a", "b", "slow", "x")}


@pytest.mark.long
def test_a_second_batch_is_refused_waits_or_is_another_shard(batches):
    first = batches.start("slow1", shard="1/2")
    wait_for(lambda: (batches.project.folder / "slow1.pid").is_file())
    for shard in ("", "1/2"):
        refused = batches.start("a", shard=shard)
        _, said = refused.communicate(timeout=60)
        assert refused.returncode == 61
        assert f"(process {first.pid} on " in said
        assert "--wait" in said
    beside = batches.start("b", shard="2/2")
    beside.communicate(timeout=60)
    assert beside.returncode == 0
    assert batches.outcomes() == ["ok", "running"]  # the first one lives, and is not called killed
    waiting = batches.start("c", wait=True)
    batches.go()
    for batch in (first, waiting):
        batch.communicate(timeout=60)
        assert batch.returncode == 0
    assert batches.ran == ["b", "c", "slow1"]
