"""What the daemon is made of: which missed times run, in what order, and what it remembers."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.small_records import write_record

from fleetslo.errors import OutputError, UsageError
from fleetslo.reports.scheduling.backfill import Stretch, due_days
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.groups import Due, groups_of
from fleetslo.reports.scheduling.memory import Memory, Untold, alone
from fleetslo.reports.scheduling.metrics import Metrics, listen_address, serving
from fleetslo.reports.scheduling.past import last_successes
from fleetslo.reports.scheduling.queue import Queue, to_run
from fleetslo.reports.scheduling.records import Done

SUCCESS = "fleetslo_report_last_success_timestamp_seconds"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TIMES = [NOON - timedelta(days=2), NOON - timedelta(days=1), NOON - timedelta(minutes=1)]


def entry(name, **more):
    return Entry(notebook="reports/x", name=name, page=name, **more)


def test_of_missed_times_the_latest_or_all_or_none_run():
    assert to_run(TIMES, NOON, "latest") == TIMES[-1:]
    assert to_run(TIMES, NOON, "all") == TIMES
    assert to_run(TIMES, NOON, "skip") == TIMES[-1:]  # a minute late is not missed
    assert to_run(TIMES[:2], NOON, "skip") == []
    assert to_run(TIMES[:2], NOON, "latest") == TIMES[1:2]
    assert to_run([], NOON, "latest") == []


def test_reports_of_one_timing_are_one_group():
    groups = groups_of(
        [
            entry("a"),
            entry("b", cron="0  6 * * MON", priority=5),  # as 'every: week', written otherwise
            entry("c", every="day"),
            entry("d", zone="Asia/Tokyo", priority=9, retries=4),
        ]
    )
    assert [group.names for group in groups] == [["d"], ["b", "a"], ["c"]]
    assert (groups[0].retries, groups[0].priority, groups[1].priority) == (4, 9, 5)


def test_the_queue_gives_the_most_important_and_one_batch_per_group():
    low, high = groups_of([entry("low", every="day"), entry("high", priority=3)])[::-1]
    queue = Queue("latest")
    queue.add(Due(low, TIMES[0]))
    queue.add(Due(high, TIMES[1]))
    queue.add(Due(low, TIMES[2]))  # takes the place of the older one
    assert len(queue) == 2
    assert queue.take() == Due(high, TIMES[1])
    queue.add(Due(high, TIMES[2]))
    assert queue.take() == Due(low, TIMES[2])  # high runs still
    assert (len(queue), queue.running) == (1, 2)
    queue.done(Due(high, TIMES[1]))
    assert queue.take() == Due(high, TIMES[2])
    queue.close()
    assert queue.take() is None


def test_where_all_times_run_none_takes_the_place_of_another():
    (group,) = groups_of([entry("a")])
    queue = Queue("all")
    for at in TIMES[:2]:
        queue.add(Due(group, at))
    assert queue.take() == Due(group, TIMES[0])
    queue.done(Due(group, TIMES[0]))
    assert queue.take() == Due(group, TIMES[1])


def test_a_group_is_remembered_and_a_new_one_has_missed_nothing(tmp_path):
    memory = Memory(tmp_path)
    memory.follow(["a", "b"], TIMES[0])
    memory.settle("a", TIMES[2], NOON)
    memory.settle("a", TIMES[1], NOON)  # a batch that ended out of order takes nothing back
    again = Memory(tmp_path)
    again.follow(["a", "c"], NOON)
    assert (again.until("a"), again.until("c")) == (TIMES[2], NOON)
    again.settle("b", NOON, NOON)  # no longer in the schedule
    stored = json.loads((tmp_path / "schedule/state.json").read_text())
    assert stored["settled_until"].keys() == {"a", "c"}


def test_the_runs_of_a_time_are_remembered_until_people_were_told(tmp_path):
    memory = Memory(tmp_path)
    memory.follow(["a", "b"], TIMES[0] - timedelta(days=1))
    for at, run in ((TIMES[0], "1"), (TIMES[0], "2"), (TIMES[1], "3")):
        memory.begin("a", at.astimezone(ZoneInfo("Europe/Berlin")), run)
    assert memory.untold() == []  # none has ended
    memory = Memory(tmp_path)  # killed, and started again
    memory.follow(["a", "b"], NOON)
    memory.begin("a", TIMES[1], "4")
    memory.settle("a", TIMES[1], NOON, ["x"])
    # What a later time has overtaken has ended with it.
    assert memory.untold() == [
        Untold("a", TIMES[0], ("1", "2"), (), NOON),
        Untold("a", TIMES[1], ("3", "4"), ("x",), NOON),
    ]
    memory.told(memory.untold()[0])
    memory.begin("b", TIMES[2], "5")
    memory = Memory(tmp_path)
    memory.follow(["a"], NOON)  # b has left the schedule, and nothing follows that run
    assert [one.runs for one in memory.untold()] == [("3", "4"), ("5",)]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2}', '{"format": 1, "settled_until": {"a": 5}}']
)
def test_a_memory_that_cannot_be_read_is_not_guessed_at(tmp_path, text):
    (tmp_path / "schedule").mkdir()
    (tmp_path / "schedule/state.json").write_text(text)
    with pytest.raises(OutputError, match=r"state.json: cannot be read .*move it away"):
        Memory(tmp_path)


def test_one_daemon_at_a_time_looks_after_a_home(tmp_path):
    second = pytest.raises(UsageError, match="another 'fleetslo schedule'")
    with alone(tmp_path), second, alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def manifest(home, run, outcomes, planned, as_of="2026-11-02", release="r", **more):
    jobs = [{"entry": "a", "path": path, "outcome": outcome} for path, outcome in outcomes.items()]
    write_record(home, run, jobs, as_of=as_of, release=release, planned={"a": planned}, **more)


def test_a_day_is_done_when_every_page_of_it_was_published(tmp_path):
    (group,) = groups_of([entry("a")])
    due = Due(group, datetime(2026, 11, 2, 6, tzinfo=UTC))
    assert due not in Done(tmp_path)
    manifest(tmp_path, "1", {"p": "ok", "q": "failed"}, planned=3)
    manifest(tmp_path, "2", {"r": "ok"}, planned=3)  # another shard
    manifest(tmp_path, "3", {"q": "ok"}, planned=3, release=None)  # made, but never published
    manifest(tmp_path, "4", {"q": "ok"}, planned=3, as_of="2026-11-09")
    (tmp_path / "runs/5").mkdir()
    (tmp_path / "runs/5/manifest.json").write_text("{")
    assert due not in Done(tmp_path)
    manifest(tmp_path, "6", {"q": "ok"}, planned=3)
    assert due in Done(tmp_path)
    manifest(tmp_path, "7", {"p": "ok"}, planned=4)  # a service more
    assert due not in Done(tmp_path)


def test_a_daemon_knows_when_reports_were_made_before_it_began(tmp_path):
    def run(hour, outcomes, **more):
        ended = f"2026-11-02T{hour:02d}:30:00Z"
        manifest(tmp_path, f"20261102T{hour:02d}0000Z-0001", outcomes, 2, ended_at=ended, **more)

    run(5, {"p": "ok", "q": "ok"}, as_of="2026-11-01")
    run(6, {"p": "ok", "q": "failed"})
    assert last_successes(tmp_path)["a"].hour == 5
    run(7, {"q": "ok"})  # the next attempt makes the day whole
    run(8, {"p": "ok", "q": "ok"}, as_of="2026-11-03", release=None)
    run(9, {"p": "failed", "q": "ok"}, as_of="2026-11-03")
    run(10, {"p": "failed"})  # made again, in vain: what there was is no younger for it
    made = last_successes(tmp_path)
    assert made == {"a": datetime(2026, 11, 2, 7, 30, tzinfo=UTC)}
    figures = Metrics(made)
    assert figures.registry.get_sample_value(SUCCESS, {"report": "a"}) is None
    figures.planned(groups_of([entry("a"), entry("b")]), NOON)
    assert figures.registry.get_sample_value(SUCCESS, {"report": "a"}) == made["a"].timestamp()
    assert figures.registry.get_sample_value(SUCCESS, {"report": "b"}) is None


def test_a_backfill_has_each_scheduled_day_once():
    entries = [
        entry("week", zone="Asia/Tokyo"),
        entry("often", cron="0 */6 * * *"),
        entry("off", cron="0 6 1 1 *"),
    ]
    stretch = Stretch.parse("2026-11-01", "2026-11-03")
    found = [(due.group.names, due.as_of) for due in due_days(entries, stretch)]
    # 2 November is the Monday; in Tokyo its 06:00 is 21:00 of Sunday in UTC, after the last of
    # four times of that day.
    assert found == [
        (["often"], "2026-11-01"), (["week"], "2026-11-02"), (["often"], "2026-11-02"), (["often"], "2026-11-03"),
    ]  # fmt: skip
    assert [due.as_of for due in due_days(entries, stretch, ["week"])] == ["2026-11-02"]
    with pytest.raises(UsageError, match="--from 2026-11-03 is after --to 2026-11-01"):
        Stretch.parse("2026-11-03", "2026-11-01")
    with pytest.raises(UsageError, match="--to 'soon' is no day; write 2026-11-01"):
        Stretch.parse("2026-11-03", "soon")


@pytest.mark.parametrize(
    ("text", "address"),
    [("9108", ("127.0.0.1", 9108)), (":9108", ("127.0.0.1", 9108)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:80", ("::1", 80))],  # noqa: S104
)  # fmt: skip
def test_metrics_are_on_loopback_unless_told_otherwise(text, address):
    assert listen_address(text) == address


def test_a_port_that_cannot_be_had_is_named():
    for text in ("host", "host:", "1:99999"):
        with pytest.raises(UsageError, match="names no port; write 9108"):
            listen_address(text)
    with serving(Metrics(), ("127.0.0.1", 0), lambda: (0, 0)) as port:
        taken = pytest.raises(OutputError, match=f"127.0.0.1:{port}: .*choose another port")
        with taken, serving(Metrics(), ("127.0.0.1", port), lambda: (0, 0)):
            pass
