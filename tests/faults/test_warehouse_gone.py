"""A warehouse that goes away in the middle of a batch, and comes back."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.loopback import PLACE, Server, serving

pytestmark = pytest.mark.long
START, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
SERVICES = ("checkout", "lyrics")
FIRST = ["run", "--as-of", "2026-10-31", "--only", "service_slo"]
SECOND = ["run", "--as-of", "2026-11-01", "--only", "service_slo"]


class Fleet:
    """A home of its own and the commands upon it, each in a process."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.environ = {
            **{name: of for name, of in os.environ.items() if not name.startswith("FLEETSLO_")},
            "FLEETSLO_HOME": str(home),
            **settings,
        }

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", "import sys; from fleetslo.cli import run; sys.exit(run(sys.argv[1:]))",
             *words],
            env=self.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def do(self, *words: str) -> tuple[int, str]:
        """Have a command done; return its exit code and what it complained of."""
        return self.ended(self.start(*words))

    def ended(self, process: "subprocess.Popen[str]") -> tuple[int, str]:
        _, said = process.communicate(timeout=250)
        complaints = [line for line in said.splitlines() if line.startswith("fleetslo: ")]
        assert "Traceback" not in said
        return process.returncode, "\n".join(complaints)

    def site(self) -> dict[str, bytes]:
        current = (self.home / "site" / "current").resolve()
        return {
            path.relative_to(current).as_posix(): path.read_bytes()
            for path in current.rglob("*")
            if path.is_file()
        }

    def newest_record(self) -> dict[str, Any]:
        path = max((self.home / "runs").glob("*/manifest.json"))
        record: dict[str, Any] = json.loads(path.read_text())
        return record

    def is_asking(self) -> bool:
        """Whether the first answer of a batch has been kept."""
        return any((self.home / "extracts").glob("*/*/*/asked.json"))

    def is_making(self) -> bool:
        """Whether the first notebook of a batch runs."""
        return any((self.home / "runs").glob("*/running/**/*.ipynb"))


def _tells_no_more_than_that_it_is_stale(before: dict[str, bytes], now: dict[str, bytes]) -> None:
    """See that every page is as it was, under a banner where the run got as far as to plan it."""
    banner = re.compile(rb'<p class="note warning stale".*?</p>')
    pages = {path for path in before if path.endswith(".html") and path != "index.html"}
    assert {path: banner.sub(b"", now[path]) for path in pages} == {
        path: before[path] for path in pages
    }
    stale = {path for path in pages if banner.search(now[path])}
    assert stale in (set(), pages)
    assert len([path for path in now if path.startswith("failures/")]) == len(stale)


def lost_and_found(
    fleet: Fleet, when: Callable[[], bool], lose: Callable[[], object], find: Callable[[], object]
) -> tuple[int, str]:
    """Lose the warehouse while a second day is made, find it again, and make the day.

    Returns how the batch in between ended; what holds however it ends is looked at here.
    """
    before, runs = fleet.site(), set((fleet.home / "runs").iterdir())
    batch = fleet.start(*SECOND)
    while not when() and batch.poll() is None:
        time.sleep(0.001)
    lose()
    code, said = fleet.ended(batch)
    made = {path for path in fleet.site() if path.startswith("2026-10-04_2026-11-01/")}
    if set((fleet.home / "runs").iterdir()) != runs:  # it says of each page what is true
        record = fleet.newest_record()
        assert record["outcome"] == ("ok" if code == 0 else "failed")
        good = {job["path"] for job in record["jobs"] if job["outcome"] == "ok"}
        assert made == good
        assert (0 < len(good) == len(record["jobs"])) == (code == 0)
        if record["failure"]:  # it ended before the first notebook, and the record says why
            assert said == f"fleetslo: {record['failure']['message']}"
            assert {job["outcome"] for job in record["jobs"]} <= {None}
        else:
            assert code in (0, 51)
    else:
        assert code != 0
    if not made:
        _tells_no_more_than_that_it_is_stale(before, fleet.site())
    find()
    assert fleet.do(*SECOND)[0] == 0
    pages = {path for path in before if path.endswith(".html") and path != "index.html"}
    assert len(pages) == len(SERVICES)
    later = {path.replace("2026-10-03_2026-10-31", "2026-10-04_2026-11-01") for path in pages}
    assert pages | later <= set(fleet.site())
    return code, said


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two services and two months of one request in ten minutes, as files to load."""
    folder = tmp_path_factory.mktemp("rows")
    pl.DataFrame({"service": SERVICES, "squad": "payments", "system": "shop", "tier": 1,
                  "language": "java", "framework": "spring", "lifecycle": "production",
                  "oncall_timezone": "Europe/Stockholm", "valid_from": START,
                  "valid_to": pl.Series([None, None], dtype=pl.Datetime("us", "UTC"))}).write_parquet(
        folder / "services.parquet")  # fmt: skip
    minutes = pl.datetime_range(
        START, END, "10m", closed="left", time_unit="us", time_zone="UTC", eager=True
    )
    one = pl.DataFrame({"minute": minutes}).with_columns(
        endpoint=pl.lit("GET /"), region=pl.lit("europe-west1"), version=pl.lit("1"),
        request_count=pl.lit(100), error_count=pl.lit(1), duration_sum_s=pl.lit(5.0),
        latency=pl.lit([{"bucket": -70, "count": 99}]), quality=pl.lit("exact"), observed_count=pl.lit(100),
    )  # fmt: skip
    pl.concat([one.with_columns(service=pl.lit(name)) for name in SERVICES]).write_parquet(
        folder / "requests.parquet"
    )
    return folder


def fill(fleet: Fleet, rows: Path) -> None:
    for words in (
        ["warehouse", "create"],
        ["warehouse", "load", "services", str(rows / "services.parquet")],
        ["warehouse", "load", "requests", str(rows / "requests.parquet")],
        ["warehouse", "rollup"],
    ):
        assert fleet.do(*words)[0] == 0, words


@pytest.fixture(scope="module")
def loaded(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an embedded warehouse and a site of one day; not to be written to."""
    fleet = Fleet(tmp_path_factory.mktemp("loaded") / "home")
    fill(fleet, rows)
    assert fleet.do(*FIRST) == (0, "")
    return fleet.home


@pytest.fixture
def fleet(loaded: Path, tmp_path: Path) -> Fleet:
    shutil.copytree(loaded, tmp_path / "home", symlinks=True)
    return Fleet(tmp_path / "home")


def test_a_folder_that_is_renamed_while_it_is_asked_stops_the_batch(fleet: Fleet) -> None:
    warehouse, away = fleet.home / "warehouse", fleet.home / "away"
    code, said = lost_and_found(
        fleet, fleet.is_asking, lambda: warehouse.rename(away), lambda: away.rename(warehouse)
    )
    assert code == 11
    assert said.startswith(f"fleetslo: there is no warehouse in {warehouse}; make one")


def test_files_that_are_deleted_while_notebooks_run_cost_the_reports_that_need_them(
    fleet: Fleet,
) -> None:
    """What notebooks declare was asked before they ran; which of them look further varies."""
    warehouse, kept = fleet.home / "warehouse", fleet.home / "kept"
    shutil.copytree(warehouse, kept)

    def lose() -> None:
        for path in warehouse.rglob("*.parquet"):
            path.unlink()

    def find() -> None:
        shutil.rmtree(warehouse)
        kept.rename(warehouse)

    code, said = lost_and_found(fleet, fleet.is_making, lose, find)
    assert code in (0, 51)
    assert ("reports failed" in said) == (code == 51)


@pytest.mark.timeout(900)
def test_a_bigquery_server_that_is_killed_costs_no_more_than_the_batch(
    rows: Path, tmp_path: Path
) -> None:
    if not (PLACE / "installed").exists():
        pytest.skip("the loopback server is missing: make loopback")
    fleet = Fleet(tmp_path / "home", FLEETSLO_WAREHOUSE="bigquery://p/reliability")
    with ExitStack() as stack:

        def fresh() -> Server:
            server = stack.enter_context(serving(tmp_path / "server.log"))
            fleet.environ["FLEETSLO_BIGQUERY_ENDPOINT"] = server.url
            fill(fleet, rows)
            return server

        server = fresh()
        assert fleet.do(*FIRST)[0] == 0
        code, said = lost_and_found(fleet, fleet.is_asking, server.process.kill, fresh)
    assert code == 10
    assert said.startswith("fleetslo: bigquery://p/reliability: ")
    assert "nothing was read: ask again later" in said
