"""What the daemon takes as due while its clock jumps, is put back, or changes to summer time."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.reports.scheduling.agenda import Agenda
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.groups import groups_of
from fleetslo.reports.scheduling.memory import Memory
from fleetslo.reports.scheduling.queue import Queue

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


class Clocked:
    """A daemon's agenda with a clock that a test moves; its batches take no time.

    ``ran`` are the times that were run, in UTC, in their order.
    """

    def __init__(self, home, now, cron, zone="UTC", missed="latest"):
        self.home, self.now, self.missed = home, now, missed
        self.groups = groups_of([Entry(notebook="reports/x", page="x", cron=cron, zone=zone)])
        self.ran, self.said = [], []
        self.start()

    def start(self):
        """Begin anew, with what an earlier one has written down."""
        self.memory = Memory(self.home)
        self.queue = Queue(self.missed)
        self.agenda = Agenda(self.memory, self.queue, self.missed, self.said.append)
        self.agenda.follow(self.groups, self.now)

    def look(self, now, ends=True):
        """Move the clock, look, and run what is due; where it ``ends``, that is remembered."""
        self.now = now
        self.agenda.look(now)
        while len(self.queue):
            due = self.queue.take()
            if ends:
                self.ran.append(due.at.astimezone(UTC))
                self.memory.settle(due.group.key, due.at, now)
            self.queue.done(due)

    def live(self, until, every=timedelta(minutes=5)):
        """Let the clock run on."""
        while self.now < until:
            self.look(min(self.now + every, until))


def hours(first, count):
    return [first + n * HOUR for n in range(count)]


@pytest.mark.parametrize(
    ("missed", "made_up"),
    [("latest", [16]), ("all", [13, 14, 15, 16]), ("skip", [])],
)
def test_a_clock_put_forward_makes_the_time_between_missed(tmp_path, missed, made_up):
    noon = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
    clocked = Clocked(tmp_path, noon, "0 * * * *", missed=missed)
    clocked.look(noon + 4 * HOUR)  # 16:10
    clocked.live(noon + 6 * HOUR)
    assert [at.hour for at in clocked.ran] == [*made_up, 17, 18]


@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
def test_a_clock_put_back_runs_nothing_twice(tmp_path, missed):
    start = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
    clocked = Clocked(tmp_path, start, "0 * * * *", missed=missed)
    clocked.live(start + 3 * HOUR)  # ran for 13, 14 and 15
    clocked.look(start)  # back to 12:10
    assert "the clock was put back by 10800 s" in clocked.said[0]
    assert "x: ran for 2026-11-24 15:00 UTC already" in clocked.said[1]
    clocked.live(start + 2 * HOUR)
    clocked.start()  # nor does one that was started anew in the meantime
    clocked.live(start + 5 * HOUR)
    assert [at.hour for at in clocked.ran] == [13, 14, 15, 16, 17]


def test_a_batch_that_was_cut_short_before_the_clock_was_put_back_is_run_when_its_time_comes(
    tmp_path,
):
    start = datetime(2026, 11, 24, 12, 50, tzinfo=UTC)
    clocked = Clocked(tmp_path, start, "0 * * * *")
    clocked.look(start + timedelta(minutes=11), ends=False)
    clocked.start()
    clocked.look(start - HOUR)
    clocked.live(start + HOUR)
    assert clocked.ran == [datetime(2026, 11, 24, 13, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        # 02:30 is not there on 29 March 2026: it comes an hour later, at 01:30 UTC.
        ("2026-03-29", ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]),
        # It is there twice on 25 October 2026: at 00:30 UTC, and not again at 01:30.
        ("2026-10-25", ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]),
    ],
)
@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
def test_a_daily_report_is_made_once_on_a_day_that_changes_the_clocks(
    tmp_path, around, expected, missed
):
    day = datetime.fromisoformat(around).replace(tzinfo=BERLIN)
    start = day.astimezone(UTC) - DAY
    clocked = Clocked(tmp_path, start, "30 2 * * *", "Europe/Berlin", missed)
    clocked.live(start + DAY + 2 * HOUR)
    clocked.start()  # in the hour that is repeated, or just jumped over
    clocked.live(start + 3 * DAY)
    assert [at.isoformat(timespec="minutes")[:16] for at in clocked.ran] == expected


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["tick", "jump", "restart", "cut short"]),
        st.integers(min_value=-6 * 60, max_value=8 * 60),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, zone=st.sampled_from(["UTC", "Europe/Berlin"]))
@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)]
)
def test_however_the_clock_moves_every_time_is_run_once(tmp_path_factory, day, moves, zone):
    clocked = Clocked(tmp_path_factory.mktemp("home"), day, "*/45 * * * *", zone, "all")
    newest = day
    for kind, minutes in moves:
        if kind == "restart":
            clocked.start()
        ahead = abs(minutes) % 60 if kind == "tick" else minutes
        clocked.look(clocked.now + timedelta(minutes=ahead), ends=kind != "cut short")
        newest = max(newest, clocked.now)
        if kind == "cut short":
            clocked.start()
    clocked.look(newest)  # the clock is right again, and nothing is cut short
    due = [at.astimezone(UTC) for at in clocked.groups[0].timing.between(day, newest)]
    assert max(Counter(clocked.ran).values(), default=1) == 1
    assert sorted(clocked.ran) == due
