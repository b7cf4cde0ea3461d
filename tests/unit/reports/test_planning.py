"""What a run makes of the schedule: for whom, which shard, which pages once more."""

from collections import Counter

import pytest
from tests.small_records import write_record

from fleetslo import cli
from fleetslo.errors import PeriodError, SettingsError, UnknownQuery, UsageError
from fleetslo.fleet import open_fleet
from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.planning import Choice, plan_run, shard_of

END = "2026-11-01"


@pytest.fixture
def plan(project, tiny):
    for each in ("service", "squad", "system", "region", "language"):
        project.notebook(
            f"reports/by_{each}", f'{each}: str = "a"\nperiod: str = "28d"\nas_of: str = ""\n'
        )

    def make(text, **choice):
        (project.folder / "notebooks" / "schedule.yaml").write_text(f"reports:\n{text}")
        return plan_run(
            open_fleet(), read_schedule(), Choice(**{"as_of": END, **choice}), project.folder
        )

    return make


SERVICES = "- {notebook: reports/by_service, for_each: service, period: 28d}\n"


def test_a_report_is_made_for_each_of_what_the_period_has(plan):
    planned = plan(
        SERVICES
        + "- {notebook: reports/by_squad, for_each: squad}\n"
        + "- {notebook: reports/by_system, for_each: system}\n"
        + "- {notebook: reports/by_region, for_each: region}\n"
        + "- {notebook: reports/by_language, for_each: {query: fleet/services, column: language}}\n"
    )
    fleet = open_fleet()
    known = fleet.services(fleet.period("28d", END))
    for name in ("service", "squad", "system", "language"):
        values = [job.parameters[name] for job in planned.jobs if job.entry == f"by_{name}"]
        assert values == known[name].drop_nulls().unique().sort().to_list(), name
    hours = fleet.query("requests/hours", period=fleet.period("28d", END))
    regions = [job.parameters["region"] for job in planned.jobs if job.entry == "by_region"]
    assert regions == sorted(set(hours["region"]))
    assert planned.planned == Counter(job.entry for job in planned.jobs)
    assert planned.catalogue.keys() == set(known["service"])


def test_a_question_that_is_not_there_is_named(plan):
    with pytest.raises(UnknownQuery, match=r"line 2: report 1 .*fleet/sen"):
        plan("- {notebook: reports/by_region, for_each: {query: fleet/sen, column: region}}")
    with pytest.raises(
        SettingsError, match=r"line 2: .*fleet/seen has no column 'region'.*It has: service,"
    ):
        plan("- {notebook: reports/by_region, for_each: {query: fleet/seen, column: region}}")


def test_shards_are_parts_that_add_up(plan):
    whole = {job.page for job in plan(SERVICES).jobs}
    shards = [plan(SERVICES, shard=f"{n}/3") for n in (1, 2, 3)]
    pages = [job.page for shard in shards for job in shard.jobs]
    assert sorted(pages) == sorted(whole)
    assert all(0 < len(shard.jobs) < len(whole) for shard in shards)
    assert {shard.planned["by_service"] for shard in shards} == {len(whole)}


def test_a_shard_depends_on_the_name_alone():
    # printf %s a | sha256sum begins with ca978112ca1bbdca = 14598023464911748554; mod 8 it is 2.
    assert 0xCA978112CA1BBDCA % 8 == 2
    assert shard_of("a", 8) == 3
    assert {shard_of(f"service_slo/s{n}", 4) for n in range(100)} == {1, 2, 3, 4}
    assert shard_of("anything", 1) == 1


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5"])
def test_a_shard_that_there_is_not_is_refused(plan, shard):
    with pytest.raises(UsageError, match="is no part; write 1/8 to 8/8"):
        plan(SERVICES, shard=shard)


def test_the_failed_pages_of_a_run_are_made_again_for_its_day(plan, project):
    jobs = plan(SERVICES).jobs
    run_id = "20261102T060000Z-0000"
    outcomes = ["failed", "ok", *["cancelled"] * (len(jobs) - 2)]
    made = [
        {"path": job.path, "outcome": outcome} for job, outcome in zip(jobs, outcomes, strict=True)
    ]
    write_record(project.folder, run_id, made, as_of=END, outcome="failed")
    again = plan(SERVICES, as_of="", retry=run_id)
    assert [job.path for job in again.jobs] == [jobs[0].path, *(job.path for job in jobs[2:])]
    with pytest.raises(UsageError, match="no record of a run 'nil'"):
        plan(SERVICES, retry="nil")


def test_today_is_the_day_where_the_reports_are_due(plan):
    # Whatever the day is, the demo fleet ended before it.
    with pytest.raises(PeriodError, match="reaches past the data"):
        plan(SERVICES, as_of="today")
    planned = plan(
        "- {notebook: reports/by_squad, for_each: squad, period: 2026-10}", as_of="today"
    )
    assert {job.period for job in planned.jobs} == {"2026-10-01/2026-11-01"}
    two = SERVICES + "- {notebook: reports/by_squad, for_each: squad, zone: Asia/Tokyo}"
    with pytest.raises(UsageError, match="today is not the same day in Asia/Tokyo, UTC"):
        plan(two, as_of="today")


def test_a_plan_is_shown_and_nothing_runs(plan, tiny, project, capsys):
    plan(
        SERVICES
        + "- {notebook: reports/by_squad, for_each: squad, cron: 0 7 * * *, zone: Asia/Tokyo}"
    )
    before = sorted(tiny.rglob("*"))
    assert cli.run(["run", "--plan", "--as-of", END, "--only", "by_service"]) == 0
    out = capsys.readouterr().out
    assert "by_service   every week   each service" in out
    assert "2026-10-04/2026-11-01" in out
    assert "by_squad" not in out
    assert sorted(tiny.rglob("*")) == before
    assert cli.run(["schedule", "show"]) == 0
    assert "0 7 * * *" in capsys.readouterr().out
