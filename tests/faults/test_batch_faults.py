"""What happens to a batch when something is killed, hangs or lies; everything here is real."""

import json
import os
import signal
import threading

import pytest
from fault_project import LINGER, gone, wait_for

from fleetslo.reports.page import Page
from fleetslo.reports.site import Drawn, Release, prune, read_published, switch

OCTOBER = "2026-10-04_2026-11-01/one"


def record(project):
    """Return the manifest of the newest run."""
    newest = max((project.home / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    return json.loads((newest / "manifest.json").read_text())


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_stopped_batch_leaves_no_process_and_the_site_as_it_was(project, number):
    assert project.run("2026-11-01", "a") == (0, "")
    before = project.site()
    project.report(LINGER)
    batch = project.start("2026-11-01", "b", "c", "d")
    pids = project.pids("b", "c")
    batch.send_signal(number)
    _, said = batch.communicate(timeout=30)
    assert (batch.returncode, said) == (130, "stopped; nothing was published\n")
    for pid in pids:  # kernels, workers, and what the cells had started
        wait_for(lambda pid=pid: gone(pid), 5)
    assert project.site() == before
    assert len(list((project.home / "site" / "releases").iterdir())) == 1
    assert list(project.scratch.iterdir()) == []
    outcome = record(project)
    assert outcome["outcome"] == "cancelled"
    assert {job["outcome"] for job in outcome["jobs"]} == {"cancelled"}


@pytest.mark.long
def test_a_killed_batch_takes_its_kernels_along_and_the_next_one_does_the_work(project):
    assert project.run("2026-11-01", "a") == (0, "")
    before = project.site()
    project.report(LINGER)
    batch = project.start("2026-11-01", "b", "c")
    pids = project.pids("b", "c")
    batch.kill()
    batch.communicate(timeout=30)
    for pid in pids:
        wait_for(lambda pid=pid: gone(pid), 10)
    assert project.site() == before
    # It could not say how it ended; that it ended is not claimed.
    assert record(project)["outcome"] == "running"
    project.report("service")
    assert project.run("2026-11-01", "b", "c") == (0, "")
    assert set(project.site()) >= {f"{OCTOBER}/{name}.html" for name in "abc"}


@pytest.mark.long
def test_a_killed_worker_costs_one_report(project):
    project.report("if service == 'b':\n" + LINGER.replace("\n", "\n    "))
    batch = project.start("2026-11-01", "a", "b", "c", "d")
    kernel, worker, child = project.pids("b")
    os.kill(worker, signal.SIGKILL)
    _, said = batch.communicate(timeout=60)
    assert batch.returncode == 51
    assert "1 of 4 reports failed; the other 3 are published" in said
    assert "one/b (reports/one): WorkerError: its worker process ended with code -9" in said
    for pid in (kernel, child):
        wait_for(lambda pid=pid: gone(pid), 10)
    assert {f"{OCTOBER}/{name}.html" for name in "acd"} <= set(project.site())
    assert f"{OCTOBER}/b.html" not in project.site()


@pytest.mark.long
def test_each_way_to_fail_is_told_apart_and_the_good_report_is_published(project):
    # Far more than the others need on a busy machine; they run while the first one hangs.
    (project.folder / "fleetslo.toml").write_text("notebook_timeout_s = 25.0\n")
    project.report(
        "import os, signal, sys, time\n"
        "ways = {\n"
        "    'raises': lambda: 1 / 0,\n"
        "    'exits': lambda: sys.exit(0),\n"
        "    'leaves': lambda: os._exit(0),\n"
        "    'killed': lambda: os.kill(os.getpid(), signal.SIGKILL),\n"
        "    'hangs': lambda: time.sleep(600),\n"
        "    'good': lambda: None,\n"
        "}\n"
        "ways[service]()",
        "print('the end')",
    )
    code, said = project.run("2026-11-01", "hangs", "raises", "exits", "leaves", "killed", "good")
    assert code == 51
    assert said.startswith("5 of 6 reports failed; the other one is published\n")
    outcomes = {job["service"]: job["outcome"] for job in record(project)["jobs"]}
    assert outcomes == {
        "raises": "failed",
        "exits": "stopped_early",
        "leaves": "stopped_early",
        "killed": "killed",
        "hangs": "timed_out",
        "good": "ok",
    }
    assert [path for path in project.site() if path.startswith(OCTOBER)] == [f"{OCTOBER}/good.html"]
    failures = project.home / "runs" / record(project)["run_id"] / "failures" / OCTOBER
    assert {path.stem for path in failures.glob("*.html")} == set(outcomes) - {"good"}
    for service in set(outcomes) - {"good"}:
        line = next(line for line in said.splitlines() if f"one/{service} " in line)
        assert "cell 3 of 4" in line
        assert "the end" not in (failures / f"{service}.html").read_text().replace("print(", "")


@pytest.mark.long
def test_two_batches_at_once_lose_nothing_of_each_other(project):
    batches = [project.start("2026-11-01", *services) for services in (["a", "b"], ["c", "d"])]
    for batch in batches:
        _, said = batch.communicate(timeout=120)
        assert (batch.returncode, said) == (0, "")
    assert set(project.site()) >= {f"{OCTOBER}/{name}.html" for name in "abcd"}


def test_an_output_folder_that_cannot_be_written_stops_the_batch_before_it_runs(project):
    (project.folder / "fleetslo.toml").write_text('home = "/proc/fleetslo"\n')
    project.report(LINGER)
    code, said = project.run("2026-11-01", "a")
    assert code == 60
    assert said.startswith("/proc/fleetslo")
    assert said.count("\n") == 1
    assert not (project.folder / "a.pid").exists()


def test_readers_never_meet_a_missing_or_torn_page(tmp_path):
    """A page and the index are read over and over while 30 releases are published."""
    site = tmp_path / "site"
    site.mkdir()

    def publish(number):
        text = (
            f"<!doctype html><html><head><title>{number}</title></head><body>{number}"
            + "x" * 50_000
        )
        file = tmp_path / f"{number}.html"
        file.write_text(text + "</body></html>")
        slug = "2026-10-01_2026-11-01"
        page = Page(f"{slug}/one.html", "one", "reports/one", None, "2026-10", str(number), "One")
        release = Release(site, f"{number:03}")
        release.build(read_published(site), [Drawn(page, file)], {})
        switch(release)
        prune(site, keep=3)

    publish(0)
    torn, reads, done = [], [], threading.Event()

    def read():
        while not done.is_set():
            for path in ("2026-10-01_2026-11-01/one.html", "index.html"):
                try:
                    text = (site / "current" / path).read_text()
                except FileNotFoundError:
                    torn.append(f"{path} is missing")
                    continue
                reads.append(path)
                if not text.rstrip().endswith("</html>"):
                    torn.append(f"{path} is torn")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 31):
        publish(number)
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert len(reads) > 100
