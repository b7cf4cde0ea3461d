"""A daemon that tells people, is killed on the way, and meets a webhook that is away; all real."""

import json
import re

import pytest
from daemon_project import DaemonProject, metrics
from fault_project import wait_for
from tests.listening import listening

pytestmark = [pytest.mark.xdist_group("runs-notebooks"), pytest.mark.timeout(580)]

RECIPIENTS = """\
recipients:
  everyone: {fleet: true, webhook: "${NEWS}"}
  operators: {failures: true, webhook: "${FAILURES}"}
"""
FIRST_FAILS = """
from pathlib import Path
seen = Path("{name}.seen")
first = not seen.exists()
seen.touch()
assert not first, "not yet"
"""
# Fails the first time as two, never as one.
TWO_FAILS_FIRST = "if period.startswith('2026-09'):\n    " + FIRST_FAILS.format(
    name="two"
).strip().replace("\n", "\n    ")


@pytest.fixture
def hooks():
    """Those who follow the fleet, and those who are told of failures."""
    with listening() as news, listening() as failures:
        yield news, failures


@pytest.fixture
def project(tmp_path, tiny_home, hooks, monkeypatch):
    for name, hook in zip(("NEWS", "FAILURES"), hooks, strict=True):
        monkeypatch.setenv(name, f"http://127.0.0.1:{hook.server_port}/")
    made = DaemonProject(tmp_path, f"duckdb://{tiny_home}/warehouse")
    (tmp_path / "notebooks" / "recipients.yaml").write_text(RECIPIENTS)
    yield made
    made.end()


def two(project, retries=1):
    """A schedule of two reports, due together: of October and of September."""
    one = f"- {{notebook: reports/one, page: one, {project.daily}}}\n"
    other = one.replace("page: one", "page: two").replace("2026-10", "2026-09")
    project.schedule(f"reports:\n{one}{other}".replace("retries: 1", f"retries: {retries}"))


def all_told(project, runs):
    """Wait until so many runs have ended, and nobody is still to be told of one."""
    wait_for(lambda: len(project.runs()) == runs and project.untold() == [], 240)


@pytest.mark.long
def test_people_are_told_once_of_all_attempts_and_of_nothing_new_never(project, hooks):
    news, failures = hooks
    project.missed(2)
    two(project)
    project.report(TWO_FAILS_FIRST)
    daemon = project.daemon()
    all_told(project, 2)
    daemon.terminate()
    assert daemon.wait(120) == 0
    assert [run["outcome"] for run in project.runs()] == ["failed", "ok"]
    # One message of both pages, and none of what came good.
    assert len(news.posted) == 1
    assert failures.posted == []
    books = {path.stem: json.loads(path.read_text()) for path in project.home.glob("told/*.json")}
    assert books == {run["run_id"]: {"everyone/webhook": "sent"} for run in project.runs()}
    # The same again: all of it is taken over, so there is no news.
    project.missed(2)
    daemon = project.daemon()
    all_told(project, 3)
    daemon.terminate()
    assert daemon.wait(120) == 0
    assert project.runs()[-1]["outcome"] == "ok"
    assert (len(news.posted), failures.posted) == (1, [])


@pytest.mark.long
def test_one_that_cannot_be_told_is_told_later_and_the_batch_is_well(project, hooks):
    news, failures = hooks
    news.answers = [404, 404]
    project.missed(2)
    two(project, retries=0)
    project.report("assert period.startswith('2026-10'), 'broken'")
    daemon = project.daemon("--metrics", "0")
    wait_for(lambda: "tried again in 2 s" in project.said(), 240)
    figures = metrics(project)
    assert figures["fleetslo_tell_failures_total"] == 2
    assert figures["fleetslo_tell_waiting"] == 1
    assert figures['fleetslo_report_failures_total{report="one"}'] == 0
    assert figures['fleetslo_report_failures_total{report="two"}'] == 1
    all_told(project, 1)
    wait_for(lambda: metrics(project)["fleetslo_tell_waiting"] == 0)
    daemon.terminate()
    assert daemon.wait(120) == 0
    # Operators were told the first time, and not again with what had failed.
    assert len(news.posted) == 1
    assert failures.texts == [f"1 report of run {project.runs()[0]['run_id']} failed"]
    assert "two: failed: cell 3, AssertionError: broken" in json.dumps(failures.posted)
    assert "the webhook answered 404" in project.said()


@pytest.mark.long
def test_a_daemon_killed_between_attempts_tells_of_all_of_them_when_it_has_caught_up(
    project, hooks
):
    news, failures = hooks
    project.missed(2)
    two(project)
    project.report(TWO_FAILS_FIRST)
    daemon = project.daemon("--retry-after", "600")
    wait_for(lambda: "attempt 1 ended with exit code 51" in project.said(), 240)
    daemon.kill()
    daemon.wait()
    assert (news.posted, len(project.untold())) == ([], 1)
    daemon = project.daemon()
    all_told(project, 2)
    daemon.terminate()
    assert daemon.wait(120) == 0
    first, second = project.runs()
    assert (first["outcome"], second["outcome"]) == ("failed", "ok")
    assert (len(news.posted), failures.posted) == (1, [])
    told = [
        json.loads((project.home / "told" / f"{run['run_id']}.json").read_text())
        for run in (first, second)
    ]
    assert told == [{"everyone/webhook": "sent"}] * 2


@pytest.mark.long
def test_a_daemon_killed_while_somebody_is_told_tells_nobody_twice(project, hooks):
    news, _ = hooks
    news.open.clear()
    project.missed(2)
    project.report("period")
    daemon = project.daemon()
    wait_for(lambda: news.posted != [], 240)
    daemon.kill()
    daemon.wait()
    (untold,) = project.untold()
    assert untold["ended"] is not None
    daemon = project.daemon()  # waits for the one that is at it
    news.open.set()
    all_told(project, 1)
    daemon.terminate()
    assert daemon.wait(120) == 0
    assert len(news.posted) == 1
    assert "everyone: was told by webhook before" in project.said()


@pytest.mark.long
def test_a_batch_that_never_began_is_told_as_failed(project, hooks):
    news, failures = hooks
    project.missed(2)
    project.warehouse = f"duckdb://{project.folder}/nowhere"
    daemon = project.daemon()
    wait_for(lambda: failures.posted != [] and project.untold() == [], 240)
    daemon.terminate()
    assert daemon.wait(120) == 0
    assert (news.posted, len(failures.posted)) == ([], 1)
    assert re.search("one: .*its batch failed as a whole", json.dumps(failures.posted))


@pytest.mark.long
def test_a_run_by_hand_tells_on_request_and_ends_as_it_would(project, hooks):
    news, failures = hooks
    run = ["run", "--tell", "--as-of", "2026-11-01"]
    project.report("raise ValueError('broken')")
    assert project.command(*run).wait(240) == 51
    assert (news.posted, len(failures.posted)) == ([], 1)
    project.report("period")
    news.answers = [404]
    assert project.command(*run).wait(240) == 0  # made and published, though nobody heard of it
    assert news.posted == []
    (again,) = re.findall(r"'fleetslo (tell \S+)' tries again", project.said())
    assert project.command(*again.split()).wait(120) == 0
    assert project.command("tell", "--only", "one").wait(120) == 0
    assert (len(news.posted), len(failures.posted)) == (1, 1)
    (project.folder / "notebooks" / "recipients.yaml").unlink()
    assert project.command(*run).wait(120) == 3
    assert len(project.runs()) == 2
