"""What happens to a notebook that is killed, never ends, eats memory or prints without end."""

import json
import os
import signal

import nbformat
import pytest
from fault_project import LINGER, gone, wait_for

OCTOBER = "2026-10-04_2026-11-01/one"

WAYS = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
print("it began", flush=True)
def eat():
    held = []
    while True:
        held.append(bytearray(os.urandom(2**10) * 2**10))
def eat_polars():
    import polars as pl
    frame = pl.DataFrame({"a": range(10**6)})
    while True:
        frame = pl.concat([frame, frame + 1], rechunk=True)
def eat_in_a_child():
    subprocess.run([sys.executable, "-c", "x = [bytearray(b'1' * 2**20) for _ in range(10**6)]"])
def eat_as_an_orphan():
    script = "import os; os.fork() and os._exit(0); os.setsid(); "
    script += "x = [bytearray(b'1' * 2**20) for _ in range(10**6)]"
    subprocess.run([sys.executable, "-c", script])
    time.sleep(600)
def leave_a_child():
    child = subprocess.Popen(["sleep", "600"])
    Path("left.pid").write_text(str(child.pid))
def leave_a_daemon():  # in a session of its own, and so is what it starts
    again = "import subprocess as s; print(s.Popen(['sleep', '600'], start_new_session=True).pid)"
    script = f"import os, time; print(os.getpid()); {again}; import sys; sys.stdout.flush(); time.sleep(600)"
    daemon = subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    Path("daemons.pid").write_text(daemon.stdout.readline() + daemon.stdout.readline())
ways = {
    "hangs": lambda: time.sleep(600),
    "spins": lambda: exec("while True: pass"),
    "eats": eat,
    "eats-polars": eat_polars,
    "eats-in-a-child": eat_in_a_child,
    "eats-as-an-orphan": eat_as_an_orphan,
    "exits": lambda: sys.exit(0),
    "leaves": lambda: os._exit(0),
    "crashes": lambda: ctypes.string_at(0),
    "leaves-a-child": leave_a_child,
    "leaves-a-daemon": leave_a_daemon,
    "good": lambda: None,
}
ways[service]()
"""


def runs(project):
    """Return the folder of the newest run."""
    return max((project.home / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)


def jobs(project):
    """Return what became of each report of the newest run, by service."""
    manifest = json.loads((runs(project) / "manifest.json").read_text())
    return {job["service"]: job for job in manifest["jobs"]}


def executed(project, service):
    """Return the notebook that a report left, as far as it came."""
    left = {one["kind"]: one["path"] for one in jobs(project)[service]["artefacts"]}
    return nbformat.read(project.home / left["notebook"], as_version=4)


def printed(cell):
    """Return what a cell wrote to stdout."""
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout")


def test_each_way_to_end_is_told_apart_and_costs_one_report(project):
    # Eating 600 MiB takes a second, or some on a busy machine; the limit is for those that hang.
    (project.folder / "fleetslo.toml").write_text(
        "notebook_timeout_s = 300.0\ncell_timeout_s = 20.0\nnotebook_memory_mib = 600\n"
    )
    project.report("'kept'", WAYS, "print('the end')")
    expected = {
        "hangs": ("timed_out", "TimeoutError: the cell took longer than 20 s"),
        "spins": ("timed_out", "TimeoutError: the cell took longer than 20 s"),
        "eats": ("out_of_memory", "MemoryError"),
        "eats-polars": ("out_of_memory", "MemoryError"),
        "eats-in-a-child": ("out_of_memory", "MemoryError"),
        "eats-as-an-orphan": ("out_of_memory", "MemoryError"),
        "exits": ("stopped_early", "SystemExit: 0"),
        "leaves": ("stopped_early", "the kernel ended with exit code 0 before the notebook did"),
        "crashes": ("killed", "SIGSEGV ended the kernel"),
        "leaves-a-child": ("ok", ""),
        "leaves-a-daemon": ("ok", ""),
        "good": ("ok", ""),
    }
    code, said = project.run("2026-11-01", *expected)
    assert code == 51
    assert said.startswith("9 of 12 reports failed; the other 3 are published\n")
    assert {name: job["outcome"] for name, job in jobs(project).items()} == {
        name: outcome for name, (outcome, _) in expected.items()
    }
    for name, (outcome, says) in expected.items():
        assert says in said
        if outcome != "ok":
            # Title, parameters, the kept cell: the one at fault is the fourth of five.
            assert jobs(project)[name]["failure"]["cell"] == 4
            # The cell of parameters that a run adds stands third.
            cells = executed(project, name).cells
            assert cells[3].outputs[0]["data"]["text/plain"] == "'kept'"
            assert printed(cells[4]) == "it began\n"
            assert cells[5].outputs == []
    # 600 MiB at the limit; the watch looks 20 times a second, and memory is refused at twice it,
    # beside what the process has from the one that it was forked from.
    for name in ("eats", "eats-polars"):
        assert 600 * 2**20 <= jobs(project)[name]["peak_memory_bytes"] < 1400 * 2**20
    left = (project.folder / "left.pid", project.folder / "daemons.pid")
    pids = [int(pid) for file in left for pid in file.read_text().split()]
    assert len(pids) == 3
    wait_for(lambda: all(map(gone, pids)), 10)


def test_a_notebook_killed_from_outside_keeps_what_it_showed(project):
    project.report("'kept'", "print('half', flush=True)\n" + LINGER)
    batch = project.start("2026-11-01", "a")
    notebook, worker, child = project.pids("a")
    os.kill(notebook, signal.SIGKILL)
    _, said = batch.communicate(timeout=60)
    assert batch.returncode == 51
    assert "its process was killed: cell 4 of 4: DeadKernelError: SIGKILL ended the kernel" in said
    assert printed(executed(project, "a").cells[4]) == "half\n"
    for pid in (worker, child):
        wait_for(lambda pid=pid: gone(pid), 10)


def test_a_killed_worker_leaves_the_notebook_as_it_was_last_saved(project):
    project.report("'kept'", "print('half', flush=True)\n" + LINGER)
    batch = project.start("2026-11-01", "a")
    notebook, worker, child = project.pids("a")
    saved = runs(project) / "running" / f"{OCTOBER}/a.ipynb"
    wait_for(saved.is_file, 30)
    os.kill(worker, signal.SIGKILL)
    batch.communicate(timeout=60)
    assert batch.returncode == 51
    cells = executed(project, "a").cells
    assert cells[3].outputs[0]["data"]["text/plain"] == "'kept'"
    assert printed(cells[4]) == "half\n"
    for pid in (notebook, child):
        wait_for(lambda pid=pid: gone(pid), 10)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux ends it")  # noqa: PTH110
def test_a_notebook_does_not_outlive_batch_and_worker(project):
    project.report(LINGER)
    batch = project.start("2026-11-01", "a")
    notebook, worker, _ = project.pids("a")
    batch.kill()
    os.kill(worker, signal.SIGKILL)
    batch.communicate(timeout=60)
    wait_for(lambda: gone(notebook), 10)


@pytest.mark.long
def test_a_notebook_that_prints_100_mb_makes_a_small_page(project):
    project.report(
        "for _ in range(100):\n    print('x' * 79 + '\\n' + 'y' * (10**6 - 81))",
        "import os\nfor _ in range(100):\n    os.write(2, b'z' * 10**6)",
        "from IPython.display import display, HTML\nfor n in range(5000):\n    display(HTML(f'<b>{n}</b>'))",
        "'the end'",
    )
    assert project.run("2026-11-01", "a") == (0, "")
    # 100 times 79 x, a line's end, 10**6 - 81 y and a line's end; 2**20 of them are kept.
    lost = 100 * 10**6 - 2**20
    prints, writes, shows, end = executed(project, "a").cells[3:]
    assert f"[left out of this cell: {lost:,} characters of text]" in prints.outputs[-1].text
    assert f"[left out of this cell: {lost:,} characters of text]" in writes.outputs[-1].text
    assert "[left out of this cell: 4,000 more outputs]" in shows.outputs[-1].text
    assert end.outputs[0]["data"]["text/plain"] == "'the end'"
    page = project.site()[f"{OCTOBER}/a.html"]
    # A character of each that is kept, twice 2**20, and what makes a page of 1,000 outputs.
    assert len(page) < 3 * 2**20
    assert jobs(project)["a"]["peak_memory_bytes"] < 2**30
