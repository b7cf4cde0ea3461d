"""The schedule is read and planned in full before anything runs."""

import re
from datetime import UTC, date, datetime

import pytest

from fleetslo.errors import (
    NotebookError,
    ParameterError,
    PeriodError,
    SettingsError,
    UnknownNotebook,
    UnknownParameter,
    UsageError,
)
from fleetslo.reports.schedule import Entry, plan_jobs, read_schedule

SERVICE = 'service: str = "a"\nperiod: str = "28d"\nas_of: str = "2026-11-01"\ntop: int = 5\n'
FLEET = 'period: str = "28d"\nas_of: str = "2026-11-01"\n'


@pytest.fixture
def schedule(project):
    project.notebook("reports/one", SERVICE)
    project.notebook("reports/all", FLEET)

    def write(text):
        path = project.folder / "notebooks" / "schedule.yaml"
        path.write_text(text)
        return read_schedule()

    return write


ENTRIES = """\
reports:
  - notebook: reports/all
    every: month
    period: 2026-10
  - notebook: reports/one
    for_each: service
    period: 28d
    parameters: {top: 3}
"""


def test_entries_are_read_with_defaults(schedule):
    first, second = schedule(ENTRIES)
    assert (first.notebook, first.every, first.for_each) == ("reports/all", "month", None)
    assert (first.period, first.page, first.parameters) == ("2026-10", "all", {})
    assert (second.every, second.for_each, second.page) == ("week", "service", "one")
    assert (first.name, first.retries, first.time_limit, first.zone) == ("all", 1, None, "UTC")
    assert second.parameters == {"top": 3}


def test_every_key_of_a_report_is_read(schedule):
    (entry,) = schedule("""
reports:
  - notebook: reports/one
    name: night
    cron: "30 7 * * mon-fri"
    zone: Europe/Berlin
    for_each: {query: fleet/seen, column: service}
    period: 7d
    page: nightly
    parameters: {top: 3}
    retries: 4
    time_limit: 15m
    priority: -5
    tell: [payments-oncall]
""")
    assert (entry.name, entry.page, entry.every) == ("night", "nightly", None)
    assert str(entry.timing) == "30 7 * * mon-fri Europe/Berlin"
    assert (str(entry.for_each), entry.subject) == ("service of fleet/seen", "service")
    assert (entry.retries, entry.time_limit, entry.priority) == (4, 15 * 60, -5)
    assert entry.tell == ("payments-oncall",)


def test_what_is_important_comes_first_and_has_its_own_limit(schedule):
    entries = schedule(
        "reports:\n"
        "- {notebook: reports/one, for_each: service}\n"
        "- {notebook: reports/all, priority: 1, time_limit: 90s}\n"
    )
    jobs = plan_jobs(entries, as_of="2026-11-01", subjects=lambda entry: ["b"])
    assert [(job.entry, job.time_limit_s) for job in jobs] == [("all", 90), ("one", None)]


def test_a_name_is_chosen_before_a_page(schedule):
    entries = schedule(
        "reports:\n"
        "- {notebook: reports/all, period: 28d}\n"
        "- {notebook: reports/all, period: 2026-10, name: month}\n"
    )

    def periods(*only):
        jobs = plan_jobs(entries, as_of="2026-11-01", subjects=lambda entry: [], only=only)
        return [job.period for job in jobs]

    assert periods("all") == ["2026-10-04/2026-11-01"]
    assert periods("month") == ["2026-10-01/2026-11-01"]
    assert periods("reports/all") == ["2026-10-04/2026-11-01", "2026-10-01/2026-11-01"]


def test_the_packaged_schedule_makes_the_overview_and_a_page_per_squad_and_service():
    entries = read_schedule()
    assert [(entry.notebook, entry.for_each) for entry in entries] == [
        ("reports/fleet_overview", None),
        ("reports/squad_review", "squad"),
        ("reports/service_slo", "service"),
    ]
    assert {entry.every for entry in entries} == {"week"}
    assert {entry.period for entry in entries} == {"28d"}


def test_a_plan_has_a_job_per_page(schedule):
    jobs = plan_jobs(
        schedule(ENTRIES), as_of="2026-11-01", subjects=lambda entry: ["b", "<x>", "b"]
    )
    assert [job.page for job in jobs] == ["all", "one/b", "one/<x>"]
    overview, plain, hostile = jobs
    assert overview.path == "2026-10-01_2026-11-01/all.html"
    assert overview.parameters == {"period": "2026-10", "as_of": "2026-11-01"}
    # 28 days before 1 November is 4 October.
    assert plain.path == "2026-10-04_2026-11-01/one/b.html"
    assert plain.period == "2026-10-04/2026-11-01"
    assert plain.parameters == {
        "period": "28d", "as_of": "2026-11-01", "top": 3, "service": "b",
    }  # fmt: skip
    assert hostile.parameters["service"] == "<x>"
    assert "<" not in hostile.path


def test_a_squad_gets_a_page_where_it_owned_a_service_in_the_period(schedule, project):
    project.notebook("reports/squad", 'squad: str = "a"\nperiod: str = "28d"\nas_of: str = ""\n')
    entries = schedule(
        "reports:\n"
        "- {notebook: reports/squad, for_each: squad}\n"
        "- {notebook: reports/squad, for_each: squad, period: 90d, page: quarter}\n"
        "- {notebook: reports/one, for_each: service}\n"
    )
    owners = {"squad": ["Live Events"], "quarter": ["Live Events", "Radio", "Radio"], "one": ["b"]}

    def plan(only=()):
        return plan_jobs(
            entries, as_of="2026-11-01", subjects=lambda entry: owners[entry.name], only=only
        )

    jobs = plan()
    assert [job.page for job in jobs] == [
        "squad/Live Events", "quarter/Live Events", "quarter/Radio", "one/b",
    ]  # fmt: skip
    first = jobs[0]
    assert (first.squad, first.service) == ("Live Events", None)
    assert first.parameters["squad"] == "Live Events"
    assert re.fullmatch(r"2026-10-04_2026-11-01/squad/live-events-[0-9a-f]{8}\.html", first.path)
    assert (jobs[-1].squad, jobs[-1].service) == (None, "b")
    (only,) = plan(["quarter/Radio"])
    assert only.squad == "Radio"


@pytest.mark.parametrize(
    ("as_of", "text"),
    [
        (date(2026, 11, 1), "2026-11-01"),
        ("2026-11-01T06:00Z", "2026-11-01T06:00:00Z"),
        (datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01"),
    ],
)
def test_the_end_is_passed_on_as_text(schedule, as_of, text):
    jobs = plan_jobs(schedule(ENTRIES), as_of=as_of, subjects=lambda entry: ["b"])
    assert {job.as_of for job in jobs} == {text}
    assert jobs[1].parameters["as_of"] == text


def test_a_plan_can_be_narrowed(schedule):
    entries = schedule(ENTRIES)

    def pages(**narrow):
        jobs = plan_jobs(entries, as_of="2026-11-01", subjects=lambda entry: ["b", "c"], **narrow)
        return [job.page for job in jobs]

    assert pages(every="month") == ["all"]
    assert pages(every="day") == []
    with pytest.raises(UsageError, match="not made every 'hour'; write one of day, week, month"):
        pages(every="hour")
    assert pages(only=["one"]) == pages(only=["reports/one"]) == ["one/b", "one/c"]
    assert pages(only=["one/c", "all"]) == ["all", "one/c"]
    with pytest.raises(UnknownNotebook, match=r"makes no report 'one/d'.*It makes: one"):
        pages(only=["one/d"])
    with pytest.raises(UnknownNotebook, match=r"no report 'two'.*It makes: all, one"):
        pages(only=["two"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reports: [", "not valid YAML"),
        ("- a", "write 'reports:' and a list"),
        ("reports: []", "write 'reports:' and a list"),
        ("reports: [5]", "report 1: it names no notebook"),
        ("reports:\n- {notebook: reports/all, evry: week}", r"report 1 \(reports/all\): there is no key 'evry'. Did you mean 'every'"),
        ("reports:\n- {notebook: reports/all, every: hour}", "'every' is 'hour'; write one of day, week, month"),
        ("reports:\n- {notebook: reports/all, for_each: team}", "'for_each' is 'team'; write service, squad, system, region or .* leave it out"),
        ("reports:\n- {notebook: reports/all, parameters: 5}", "'parameters' is 5"),
        ("reports:\n- {notebook: reports/all, page: a/b}", "'page' is 'a/b'"),
        ("reports:\n- notebook: reports/all\n- notebook: reports/one\n  zone: Mars", r"line 4: report 2 .*there is no zone 'Mars'"),
        ("reports:\n- notebook: reports/all\n  period: 28d\n  cron: 0 6 * *", r"line 4: report 1 .*has 4 fields"),
        ("reports:\n- {notebook: reports/all, every: day, cron: 0 6 * * *}", "'every' and 'cron'; write one of them"),
        ("reports:\n- {notebook: reports/all, cron: 6}", "'cron' is 6; write five fields in quotes"),
        ("reports:\n- {notebook: reports/all, retries: many}", "'retries' is 'many'; write a whole number from 0 to 10"),
        ("reports:\n- {notebook: reports/all, retries: 11}", "'retries' is 11"),
        ("reports:\n- {notebook: reports/all, time_limit: 5}", "'time_limit' is 5; write a time such as 90s"),
        ("reports:\n- {notebook: reports/all, time_limit: 0m}", "'time_limit' is '0m'"),
        ("reports:\n- {notebook: reports/all, tell: payments}", "'tell' is 'payments'; write a list of names"),
        ("reports:\n- {notebook: reports/all, for_each: {query: fleet/seen}}", "'for_each' is .*write service, squad"),
        ("reports:\n- {notebook: reports/all}\n- {notebook: reports/one, page: all}", r"line 3: report 2 .*the name 'all' is another report's already"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_is_refused(schedule, text, says):
    with pytest.raises(SettingsError, match=f"schedule.yaml: .*{says}"):
        schedule(text)


def test_a_missing_schedule_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"no schedule at .*nowhere.yaml"):
        read_schedule(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ("{notebook: reports/nil}", UnknownNotebook, "no notebook 'reports/nil'"),
        ("{notebook: reports/one, parameters: {tpo: 3}}", UnknownParameter, "Did you mean 'top'"),
        ("{notebook: reports/one, parameters: {top: x}}", ParameterError, "'top' is 'x'"),
        ("{notebook: reports/all, period: soon}", PeriodError, "'soon' is not a period"),
        ("{notebook: reports/all, for_each: service}", NotebookError, "has no parameter 'service'"),
        ("{notebook: reports/one, for_each: squad}", NotebookError, 'add squad: str = "Payments"'),
    ],
)
def test_a_report_that_cannot_run_is_refused_with_its_place(schedule, row, error, says):
    entries = schedule(f"reports:\n- {row}")
    with pytest.raises(error, match=f"schedule.yaml: line 2: report 1 .*{says}"):
        plan_jobs(entries, as_of="2026-11-01", subjects=lambda entry: ["b"])


def test_two_reports_cannot_share_a_page(project):
    project.notebook("reports/all", FLEET)
    twice = [Entry(notebook="reports/all", name=name, source="here") for name in "ab"]
    with pytest.raises(SettingsError, match="here: the page all is made by another report already"):
        plan_jobs(twice, as_of="2026-11-01", subjects=lambda entry: [])
