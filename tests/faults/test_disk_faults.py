"""Batches on a disk that fills up, or that cannot be written to."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fault_project import RUN, Project
from tests.small_site import SmallSite
from tests.storage import StorageServer

from fleetslo.errors import OutputError
from fleetslo.reports.publishing.reading import current
from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.site import read_published

HERE = Path(__file__).parent
OCTOBER = "2026-10-04_2026-11-01/one"
FULL = "cannot write: No space left on device; the disk is full; make room or choose another one"


def in_mount_namespace(*command: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command with mounts of its own; skip where that is not allowed."""
    done = subprocess.run(
        ["unshare", "-m", *command],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **more,
    )
    if done.returncode in (1, 77, 126, 127) and not done.stdout:
        pytest.skip(f"no mount of its own can be made here: {done.stderr.strip()}")
    return done


def filled(folder: Path, disk: str, left: int) -> dict[str, Any]:
    """What becomes of a project whose disk is filled up to so many bytes."""
    done = in_mount_namespace(
        *(sys.executable, str(HERE / "full_disk.py"), str(folder), disk, "16m", str(left)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])},
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["first"] == [0, ""]
    return told


@pytest.mark.parametrize(
    ("disk", "left", "code", "where", "published"),
    [
        # The notebook of 400 kB cannot be saved; it can, and its page cannot be written; nothing
        # can be written at all; the pages are made elsewhere, and the site's disk is full.
        pytest.param(".fleetslo", 200_000, 51, "large.ipynb", {"small"}, id="saving"),
        pytest.param(
            ".fleetslo",
            700_000,
            51,
            "large.html",
            {"small"},
            id="rendering",
        ),
        pytest.param(".fleetslo", 0, 60, "manifest.json", set(), id="starting"),
        pytest.param(".fleetslo/site", 200_000, 60, "large.html", set(), id="publishing"),
    ],
)
@pytest.mark.long
def test_a_disk_that_is_full_costs_what_does_not_fit_and_breaks_nothing(
    tmp_path: Path, disk: str, left: int, code: int, where: str, published: set[str]
) -> None:
    told = filled(tmp_path / "project", disk, left)
    assert told["full"][0] == code
    assert f"{where}: {FULL}" in told["full"][1]
    assert "Traceback" not in told["full"][1]
    before, after = told["before"], told["after"]
    new = {f"{OCTOBER}/{name}.html" for name in published}
    new |= {f"failures/{OCTOBER}/large.html"} if published else set()  # and why one is not there
    assert set(after) - set(before) == new
    changed = {path for path in before if after[path] != before[path]}
    assert changed == ({"index.html", "site.json"} if published else set())
    assert told["parts"] == []
    assert [name for name in told["releases"] if name.startswith(".")] == []
    assert told["again"] == [0, ""]  # with room, all is well
    names = {"first", "large", "small"}
    assert set(told["pages"]) == {f"{OCTOBER}/{name}.html" for name in names} | {"index.html"}


def test_a_site_that_may_only_be_read_stops_the_batch_before_it_runs(project: Project) -> None:
    assert project.run("2026-11-01", "a") == (0, "")
    before = project.site()
    project.report("from pathlib import Path\nPath('ran').touch()")
    site = project.home / "site"
    mount = f"mount --bind {site} {site} && mount -o remount,ro,bind {site}"
    done = in_mount_namespace(
        *("sh", "-c", f'{mount} || exit 77; cd "{project.folder}" && exec "$@"', "sh"),
        *(sys.executable, "-c", RUN, "2026-11-01", "b"),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr.count("\n")) == (60, 1)
    assert done.stderr.startswith(str(site))
    assert (
        "cannot write: Read-only file system; the file system is read-only; choose" in done.stderr
    )
    assert not (project.folder / "ran").exists()
    assert project.site() == before
    assert {page.service for page in read_published(site).pages} == {"a"}


def test_a_storage_whose_disk_is_full_shows_what_it_showed(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    in_mount_namespace("mount", "-t", "tmpfs", "-o", "size=4m", "none", str(held))
    mount = f"mount -t tmpfs -o size=4m none {held} || exit 77"
    server = StorageServer(tmp_path, ["unshare", "-m", "sh", "-c", f'{mount}; exec "$@"', "sh"])
    try:
        site, store = SmallSite(tmp_path / "home"), server.store()
        site.publish("20261101T060000Z-aaaa", ["fleet"])
        publish_site(site.folder, store)
        index = store.read("index.html")
        noise = random.Random(1).randbytes(40_000).hex()  # noqa: S311  no secret; 40 kB at least
        pages = [f"page-{number}" for number in range(40)]
        site.publish("20261102T060000Z-bbbb", ["fleet", *pages], text=noise)
        with pytest.raises(
            OutputError, match=r"failed again and again \(5.*no space left on device"
        ):
            publish_site(site.folder, store)
        shown = current(store)
        assert shown is not None
        assert shown.run_id == "20261101T060000Z-aaaa"
        assert store.read("index.html") == index
        assert server.process is not None
        subprocess.run(
            [
                *("nsenter", "-m", "-t", str(server.process.pid)),
                *("mount", "-o", "remount,size=16m", str(held)),
            ],
            check=True,
        )
        assert publish_site(site.folder, store).run_id == "20261102T060000Z-bbbb"
        for path, content in site.files().items():
            if path != "index.html":
                found = store.read(f"releases/20261102T060000Z-bbbb/{path}")
                assert found is not None, path
                assert found[0] == content
    finally:
        server.kill()
