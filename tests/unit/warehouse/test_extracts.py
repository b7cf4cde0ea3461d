"""A batch asks each question once, whoever needs it, and keeps nothing that is not whole."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from fleetslo.errors import NotebookError, SettingsError, UsageError, WarehouseError
from fleetslo.periods import Period
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.extracts import Extracts, Wanted, extracted
from fleetslo.warehouse.kept import questions

START = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Period(START, START + 7 * DAY)
SERVICES = [f"s{number}" for number in range(6)]
SECOND = Period(START + 2 * DAY + timedelta(hours=5), START + 4 * DAY)


class Watched(DuckDBWarehouse):
    """An embedded warehouse that writes down what it is asked."""

    def __init__(self, url):
        super().__init__(url)
        self.asked = []

    def batches(self, name, **parameters):
        self.asked.append((name, parameters["start"], parameters["end"], parameters["services"]))
        yield from super().batches(name, **parameters)


@pytest.fixture
def watched(warehouse):
    rows = [
        {
            "minute": START + day * DAY + timedelta(hours=hour),
            "service": service,
            "objective": "faults",
            "definition": "d",
            "good_count": 9,
            "valid_count": 10,
            "uncertain_count": 0,
        }
        for day in range(-2, 9)
        for hour in range(24)
        for service in SERVICES
    ]
    of = contract("slo_minutes")
    frame = pl.DataFrame(rows, schema=of.schema, orient="row")
    for (day,), part in frame.group_by(pl.col("minute").dt.date()):
        warehouse.layout.write_day(of, day, part)
    return Watched(warehouse.url)


@pytest.fixture
def extracts(watched, tmp_path):
    with extracted(tmp_path, watched, "run") as held:
        yield held


def ask(extracts, name, period, services=(), **more):
    return extracts.query(name, start=period.start, end=period.end, services=list(services), **more)


def test_the_number_of_questions_does_not_depend_on_services(extracts, watched):
    for service in SERVICES:
        # One row an hour and seven days: 168 minutes, seven days, and one total of six hours.
        assert ask(extracts, "slo/minutes", WEEK, [service]).height == 7 * 24
        assert ask(extracts, "slo/days", WEEK, [service]).height == 7
        totals = ask(extracts, "slo/window_totals", WEEK, [service], window_minutes=[360])
        assert totals["valid_count"].to_list() == [60]
    assert watched.asked == [
        ("slo/minutes", WEEK.start, WEEK.end, []),
        ("slo/days", WEEK.start, WEEK.end, []),
    ]


def test_only_days_that_nobody_asked_for_yet_are_asked_for(extracts, watched):
    ask(extracts, "slo/minutes", SECOND)
    wider = Period(START - DAY, WEEK.end)
    assert ask(extracts, "slo/minutes", wider).height == 8 * 24 * len(SERVICES)
    third, fifth = START + 2 * DAY, START + 4 * DAY
    assert [(start, end) for _, start, end, _ in watched.asked] == [
        (third, fifth),
        (wider.start, third),
        (fifth, wider.end),
    ]
    assert extracts.lacking([Wanted("slo/minutes", WEEK), Wanted("slo/slices", SECOND)]) == []


def test_days_that_several_need_are_asked_for_together(extracts):
    lacking = extracts.lacking(
        [
            Wanted("slo/minutes", SECOND),
            Wanted("slo/stretches", WEEK),  # over slo/minutes
            Wanted("slo/minutes", Period(WEEK.end, WEEK.end + DAY)),
            Wanted("fleet/seen", WEEK),
            Wanted("fleet/seen", WEEK),
        ]
    )
    assert lacking == [
        Wanted("fleet/seen", WEEK),
        Wanted("slo/minutes", Period(START, WEEK.end + DAY)),
    ]


def test_all_pages_show_one_state_of_the_data(extracts, watched):
    before = ask(extracts, "slo/minutes", WEEK, ["s1"])
    of = contract("slo_minutes")
    watched.layout.write_day(of, START.date(), pl.DataFrame(schema=of.schema))
    assert ask(extracts, "slo/minutes", WEEK, ["s1"]).equals(before)


def test_a_batch_goes_by_the_data_that_there_were_when_it_began(extracts, watched):
    began = extracts.fingerprint()
    assert began == watched.fingerprint()
    of = contract("slo_minutes")
    watched.layout.write_day(of, START.date(), pl.DataFrame(schema=of.schema))
    assert extracts.fingerprint() == began != watched.fingerprint()


def test_an_undeclared_question_is_refused_with_the_line_to_add(extracts, watched):
    extracts.declare({"reports/one": ["slo/days"]})
    one = Extracts(extracts.folder, "reports/one", warehouse=watched)
    assert ask(one, "slo/days", WEEK, ["s0"]).height == 7
    with pytest.raises(NotebookError) as refused:
        ask(one, "slo/minutes", WEEK, ["s0"])
    assert str(refused.value).startswith(
        "reports/one asks 'slo/minutes', which it does not declare"
    )
    assert '{"name": "slo/minutes", "period": "report"}' in str(refused.value)
    with pytest.raises(UsageError, match="in a batch every question has a name"):
        one.sql("SELECT 1")
    with pytest.raises(UsageError, match="cannot roll up; do it before 'fleetslo run'"):
        one.rollup([])


def test_the_record_says_what_was_asked(extracts):
    ask(extracts, "slo/minutes", WEEK, ["s1"])
    extracts.declare({"reports/one": ["fleet/seen"]})
    ask(Extracts(extracts.folder, "reports/one"), "fleet/seen", WEEK)
    seen, minutes = questions(extracts.folder)
    assert (minutes.name, minutes.start[:10], minutes.end[:10]) == (
        "slo/minutes", "2026-10-01", "2026-10-08",
    )  # fmt: skip
    assert (minutes.rows, minutes.report) == (7 * 24 * len(SERVICES), "")
    assert (seen.rows, seen.report, seen.job_id) == (0, "reports/one", None)


class BreaksOff(Watched):
    """A warehouse whose answers end in the middle, once."""

    broken = True

    def batches(self, name, **parameters):
        for piece in super().batches(name, **parameters):
            yield piece
            if self.broken:
                raise WarehouseError("the answer broke off")


def test_nothing_is_kept_of_an_answer_that_breaks_off(watched, tmp_path):
    unsure = BreaksOff(watched.url)
    with extracted(tmp_path, unsure, "run") as extracts:
        with pytest.raises(WarehouseError, match="broke off"):
            ask(extracts, "slo/minutes", WEEK)
        assert questions(extracts.folder) == []
        assert [path.name for path in extracts.folder.glob("*/*")] == [".lock"]
        with pytest.raises(WarehouseError, match="broke off"):
            ask(extracts, "slo/minutes", WEEK)
        unsure.broken = False
        assert ask(extracts, "slo/minutes", WEEK).height == 7 * 24 * len(SERVICES)


ASKING = """
import sys
from pathlib import Path
from datetime import datetime, UTC, timedelta
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.extracts import Extracts

class Slow(DuckDBWarehouse):
    def batches(self, name, **parameters):
        with open(sys.argv[2], "a") as log:
            log.write("asked\\n")
        import time
        time.sleep(float(sys.argv[3]))
        yield from super().batches(name, **parameters)

folder = Path(sys.argv[1])
extracts = Extracts(folder)
extracts._given = Slow(extracts.url)
start = datetime(2026, 10, 1, tzinfo=UTC)
end = start + timedelta(days=7)
print(extracts.query("slo/minutes", start=start, end=end, services=["s1"]).height)
"""


def asking(folder, log, delay_s):
    """Start a process that asks for a week, slowly, and says how many rows it got."""
    return subprocess.Popen(
        [sys.executable, "-c", ASKING, str(folder), str(log), str(delay_s)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_who_need_the_same_at_once_ask_once(extracts, tmp_path):
    log = tmp_path / "log"
    both = [asking(extracts.folder, log, 1.0) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == ["168\n", "168\n"]
    assert log.read_text() == "asked\n"


def test_who_is_killed_while_asking_leaves_no_lock_and_no_half(extracts, tmp_path):
    log = tmp_path / "log"
    killed = asking(extracts.folder, log, 600.0)
    until = time.monotonic() + 60
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert questions(extracts.folder) == []
    assert ask(extracts, "slo/minutes", WEEK, ["s1"]).height == 168


def test_the_folder_goes_with_its_batch(watched, tmp_path):
    with pytest.raises(ValueError, match="a report"), extracted(tmp_path, watched, "one") as one:
        raise ValueError("a report")
    assert not one.folder.exists()
    with pytest.raises(SettingsError, match=r"there is no batch in .*one"):
        Extracts(one.folder)


HOLDING = """
import sys, time
from pathlib import Path
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.extracts import extracted
with extracted(Path(sys.argv[1]), DuckDBWarehouse(sys.argv[2]), "killed") as extracts:
    print("ready", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_batch_left_is_removed_by_the_next_and_never_read(watched, tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path), watched.url]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    left = tmp_path / "extracts" / "killed"
    assert other.stdout.readline() == "ready\n"
    with extracted(tmp_path, watched, "beside"):
        assert (left / "batch.json").is_file()  # it lives: its answers are its own
    other.kill()
    other.communicate(timeout=60)
    assert left.exists()
    with extracted(tmp_path, watched, "next") as following:
        assert not left.exists()
        about = json.loads((following.folder / "batch.json").read_text())
        assert about["complete_until"] == "2026-10-09T23:01:00+00:00"  # the last row is of 23:00
        assert following.complete_until() == datetime(2026, 10, 9, 23, 1, tzinfo=UTC)
