"""A daemon that is killed, stopped, hung up and started twice, with batches that fail; all real."""

import re
import signal
import urllib.error
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from daemon_project import DaemonProject, fetch, metrics
from fault_project import LINGER, gone, wait_for

pytestmark = [pytest.mark.xdist_group("runs-notebooks"), pytest.mark.timeout(580)]


@pytest.fixture
def project(tmp_path, tiny_home):
    made = DaemonProject(tmp_path, f"duckdb://{tiny_home}/warehouse")
    made.report("period")
    yield made
    made.end()


@pytest.fixture
def start(project):
    """Starts daemons, and commands."""

    def begin(*words):
        return project.command(*words) if words[:1] == ("backfill",) else project.daemon(*words)

    return begin


def ended(project, count, seconds=240):
    wait_for(
        lambda: len([one for one in project.runs() if one["outcome"] != "running"]) >= count,
        seconds,
    )


def terminate(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_a_killed_daemon_takes_its_batch_along_and_the_next_one_catches_up(project, start):
    project.missed(2)
    project.report(LINGER)
    daemon = start()
    pids = project.pids("a")
    daemon.kill()
    daemon.wait()
    for pid in pids:
        wait_for(lambda pid=pid: gone(pid), 30)
    wait_for(lambda: project.outcomes() == [(project.last_day(), "cancelled")], 30)
    before = project.settled()
    assert before < datetime.now(UTC) - timedelta(days=1)  # what was cut short is still to be done
    project.report("period")
    daemon = start()
    ended(project, 2)
    wait_for(lambda: project.settled() > before, 30)
    terminate(daemon)
    assert project.outcomes() == [(project.last_day(), "cancelled"), (project.last_day(), "ok")]
    assert "2026-10-01_2026-11-01/one.html" in project.site()
    # A third one has nothing left to do.
    daemon = start()
    wait_for(lambda: project.said().count("follows the schedule: 1 report") == 3)
    terminate(daemon)
    assert len(project.runs()) == 2


@pytest.mark.parametrize(("missed", "days"), [("latest", [0]), ("all", [2, 1, 0]), ("skip", [])])
@pytest.mark.long
def test_what_was_missed_is_run_as_the_policy_says(project, start, missed, days):
    project.missed(2)
    daemon = start("--missed", missed)
    wait_for(lambda: project.settled() == project.last_due(), 120)
    terminate(daemon)
    assert project.outcomes() == [(project.last_day(day), "ok") for day in days]
    assert ("missed times are left out" in project.said()) == (missed != "all")


@pytest.mark.long
def test_the_first_signal_lets_a_batch_end_and_the_second_cancels_it(project, start):
    project.missed(2)
    go = project.folder / "go"
    lingers = (
        "import time\nfrom pathlib import Path\nPath('begun').touch()\n"
        "while not Path('go').exists():\n    time.sleep(0.1)"
    )
    project.report(lingers)
    begun = project.folder / "begun"
    daemon = start()
    wait_for(begun.exists)
    daemon.send_signal(signal.SIGTERM)
    wait_for(lambda: "ends after the batch that runs" in project.said())
    assert daemon.poll() is None
    go.touch()
    assert daemon.wait(timeout=60) == 0
    assert project.outcomes() == [(project.last_day(), "ok")]
    settled = project.settled()
    go.unlink()
    begun.unlink()
    project.report(f"{lingers}\n# changed: the same again would be taken over, and not run")
    project.missed(2)
    daemon = start()
    wait_for(begun.exists)
    for said in ("ends after the batch that runs", ": cancelled"):
        count = project.said().count(said)
        daemon.send_signal(signal.SIGTERM)
        wait_for(lambda said=said, count=count: project.said().count(said) > count)
    assert daemon.wait(timeout=60) == 0
    assert project.outcomes()[1:] == [(project.last_day(), "cancelled")]
    assert project.settled() < settled  # it is due again


@pytest.mark.long
def test_only_what_failed_is_tried_again(project, start):
    project.missed(2)
    project.schedule(
        "reports:\n"
        "- {notebook: reports/one, for_each: {query: fleet/services, column: service}, "
        f"{project.daily}}}\n"
    )
    project.report(
        "from pathlib import Path\nseen = Path(f'{service}.seen')\nfirst = not seen.exists()\n"
        "seen.touch()\nassert not (first and service == 'checkout'), 'not yet'"
    )
    daemon = start("--metrics", "0")
    ended(project, 2)
    wait_for(lambda: ": ok" in project.said(), 60)
    first, second = project.runs()
    assert (first["outcome"], second["outcome"]) == ("failed", "ok")
    assert len(first["jobs"]) == first["planned"]["one"] > 1
    assert [job["service"] or job["parameters"]["service"] for job in second["jobs"]] == [
        "checkout"
    ]
    assert second["planned"] == first["planned"]
    assert [(run["trigger"], run["attempt"]) for run in (first, second)] == [
        ("schedule", 1),
        ("schedule", 2),
    ]
    terminate(daemon)
    # The day is made, in two runs; a backfill has nothing to do.
    day = project.last_day()
    assert project.command("backfill", "--from", day, "--to", day).wait(timeout=60) == 0
    assert "1 of 1 are made already" in project.said()


@pytest.mark.long
def test_what_keeps_failing_is_given_up_and_counted(project, start):
    project.missed(2)
    project.report("raise ValueError('broken')")
    daemon = start("--metrics", "0")
    wait_for(lambda: ": failed: one" in project.said(), 120)
    assert [outcome for _, outcome in project.outcomes()] == ["failed", "failed"]
    assert project.settled() > datetime.now(UTC) - timedelta(days=1)
    figures = metrics(project)
    assert figures['fleetslo_report_failures_total{report="one"}'] == 1
    assert 'fleetslo_report_last_success_timestamp_seconds{report="one"}' not in figures
    terminate(daemon)


@pytest.mark.long
def test_a_report_that_is_due_is_made_and_its_figures_are_served(project, start):
    # Every ten seconds: the only test that waits for a time to come.
    project.schedule(
        "reports:\n- {notebook: reports/one, cron: '*/10 * * * * *', zone: Asia/Tokyo, period: 2026-10}\n"
    )
    daemon = start("--metrics", "127.0.0.1:0")
    ended(project, 2)
    last = 'fleetslo_report_last_success_timestamp_seconds{report="one"}'
    wait_for(lambda: last in metrics(project))
    figures = metrics(project)
    now = datetime.now(UTC).timestamp()
    label = '{report="one"}'
    assert now - 120 < figures[last] <= now
    assert 0 < figures["fleetslo_report_duration_seconds" + label] < 120
    assert figures["fleetslo_report_failures_total" + label] == 0
    upcoming = figures["fleetslo_report_next_run_timestamp_seconds" + label]
    assert upcoming % 10 == 0
    assert {
        "fleetslo_queue_length",
        "fleetslo_batches_running",
        "fleetslo_read_bytes_total",
    } <= figures.keys()
    assert fetch(project, "healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(project, "etc/passwd")
    terminate(daemon)
    # Each time once: no two runs began at the same scheduled time.
    begun = re.findall(r"one of (\S+ \S+) JST: begins", project.said())
    assert len(begun) == len(set(begun)) >= 2
    today = {datetime.now(ZoneInfo("Asia/Tokyo")).date() - timedelta(days=days) for days in (0, 1)}
    assert {run["as_of"] for run in project.runs()} <= {day.isoformat() for day in today}


def test_a_hang_up_reads_the_schedule_again_and_a_wrong_one_changes_nothing(project, start):
    daemon = start("--metrics", "0")
    wait_for(lambda: "follows the schedule" in project.said())
    project.schedule("reports:\n- {notebook: reports/one, evry: day}\n")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "the schedule stays as it was" in project.said())
    assert "there is no key 'evry'" in project.said()
    assert project.settled() is not None
    project.schedule("reports:\n- {notebook: reports/one, cron: 0 6 29 2 *}\n")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "the schedule is read again: 1 report" in project.said())
    assert project.settled() is None
    assert project.settled("0 0 6 29 2 * UTC") is not None
    second = project.daemon()
    assert second.wait(timeout=60) == 2
    assert "another 'fleetslo schedule' runs the schedule of" in project.said()
    terminate(daemon)
    assert project.runs() == []


@pytest.mark.long
def test_a_backfill_makes_the_days_that_are_not_made(project, start):
    project.schedule(
        "reports:\n- {notebook: reports/one, every: week, zone: Asia/Tokyo, period: 28d}\n"
    )

    def fill(*more):
        return project.command(
            "backfill", "--from", "2026-10-12", "--to", "2026-10-26", *more
        ).wait(timeout=200)

    assert fill("--at-once", "2") == 0
    # The Mondays of this stretch; every report ends on its own.
    mondays = ["2026-10-12", "2026-10-19", "2026-10-26"]
    assert sorted(project.outcomes()) == [(day, "ok") for day in mondays]
    assert {(run["trigger"], run["attempt"]) for run in project.runs()} == {("backfill", 1)}
    assert "2026-09-28_2026-10-26/one.html" in project.site()
    assert "2026-09-14_2026-10-12/one.html" in project.site()
    assert fill() == 0
    assert "3 of 3 are made already" in project.said()
    assert len(project.runs()) == 3
    assert (
        project.command("backfill", "--from", "2026-10-26", "--to", "2026-10-26", "--again").wait(
            timeout=90
        )
        == 0
    )
    assert len(project.runs()) == 4
    assert (
        project.command("backfill", "--from", "2026-10-13", "--to", "2026-10-18").wait(timeout=60)
        == 0
    )
    assert "nothing is scheduled on these days" in project.said()


@pytest.mark.long
def test_a_stopped_backfill_cancels_what_runs(project, start):
    project.report(LINGER)
    process = start("backfill", "--from", project.last_day(2), "--to", project.last_day())
    pids = project.pids("a")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    for pid in pids:
        wait_for(lambda pid=pid: gone(pid), 10)
    assert project.outcomes() == [(project.last_day(2), "cancelled")]
