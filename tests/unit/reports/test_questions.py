"""What notebooks declare to ask: read, put into periods, asked beforehand, and limited."""

import json

import pytest

from fleetslo.errors import NotebookError, WarehouseError
from fleetslo.fleet import Fleet, open_fleet
from fleetslo.periods import Period
from fleetslo.reports.jobs import Silent
from fleetslo.reports.notebooks import find_notebook
from fleetslo.reports.questions import Declared, ask_beforehand, declared, wanted
from fleetslo.reports.schedule import plan_jobs, read_schedule
from fleetslo.settings import load_settings
from fleetslo.warehouse.extracts import extracted
from fleetslo.warehouse.kept import questions

PARAMETERS = 'period: str = "28d"  # how far back\nas_of: str = ""  # until when\n'


def declare(path, entries):
    document = json.loads(path.read_text())
    document["metadata"]["fleetslo"] = {"queries": entries}
    path.write_text(json.dumps(document))


def test_what_is_declared_is_read(project):
    path = project.notebook("reports/one", PARAMETERS, "1")
    assert declared(find_notebook("one")) == []
    declare(path, [{"name": "slo/days"}, {"name": "fleet/seen", "period": "7d", "before": "7d"}])
    assert declared(find_notebook("one")) == [
        Declared(name="slo/days", period="report", before="", lookback=""),
        Declared(name="fleet/seen", period="7d", before="7d", lookback=""),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"nam": "slo/days"}, "entry 1: name: Field required"),
        ({"name": "slo/dayz"}, "there is no query 'slo/dayz'. Did you mean 'slo/days'?"),
        ({"name": "slo/days", "before": "a week"}, "'a week' is not a period"),
        ({"name": "slo/days", "period": "monthly"}, "'monthly' is not a period"),
        ({"name": "slo/days", "lookback": "far"}, "'far' is not a period"),
        ({"name": "slo/days", "since": "7d"}, "entry 1: since: Extra inputs"),
    ],
)
def test_what_cannot_be_read_is_named(project, entry, said):
    declare(project.notebook("reports/one", PARAMETERS, "1"), [entry])
    with pytest.raises(NotebookError) as refused:
        declared(find_notebook("one"))
    assert said in str(refused.value)
    assert "one.ipynb: metadata" in str(refused.value)


@pytest.mark.usefixtures("tiny")
def test_declared_periods_are_those_of_the_report():
    fleet = open_fleet()
    end = fleet.last_day
    report = Period.ending(end, days=28)
    asked = [
        Declared(name="slo/days"),
        Declared(name="slo/days", before="7d"),
        Declared(name="slo/days", before="period"),
        Declared(name="slo/days", period="3d", before="7d"),
        Declared(name="slo/days", lookback="2d"),
        Declared(name="slo/days", lookback="windows"),
        Declared(name="slo/days", lookback="alerts"),
    ]
    days = [
        ((one.period.start - end).days, (one.period.end - end).days)
        for one in wanted(asked, fleet, report)
    ]
    # The longest window of an alert policy is three days; windows are of four weeks or a month.
    windows = days[5][0]
    assert days[:5] == [(-28, 0), (-35, -7), (-56, -28), (-10, -7), (-30, 0)]
    assert windows <= -28
    assert days[6] == (windows - 3, 0)


class Billed:
    """Stands before a warehouse, and says that each of its questions reads a gibibyte."""

    def __init__(self, warehouse):
        self._warehouse = warehouse

    def __getattr__(self, name):
        return getattr(self._warehouse, name)

    def bytes_to_read(self, name, **parameters):
        return 2**30


def beforehand(tmp_path, limit, note):
    settings = load_settings({"batch_bytes_limit": limit}).settings
    plain = open_fleet().warehouse
    with extracted(tmp_path / "home", Billed(plain), "run") as extracts:
        fleet = Fleet(settings, extracts)
        jobs = plan_jobs(
            read_schedule(), as_of=fleet.last_day, subjects=lambda entry: ["checkout", "b", "c"]
        )
        ask_beforehand(jobs, fleet, extracts, settings, Silent(), note)
        return questions(extracts.folder)


@pytest.mark.usefixtures("tiny")
def test_the_price_is_said_first_and_each_question_after(tmp_path):
    said = []
    asked = beforehand(tmp_path, 2**50, said.append)
    # What the reach of objectives needs is asked before; 6.25 / 1024 dollars a gibibyte.
    billed = len(said) - 1
    price = f"${billed * 6.25 / 1024:,.2f}"
    assert (
        said[0]
        == f"{billed} questions for the whole fleet read {billed:.1f} GiB: {price} on demand"
    )
    names = {line.partition(":")[0] for line in said[1:]}
    assert {"slo/minutes", "slo/days", "latency/hours"} <= names <= {one.name for one in asked}
    assert all(one.report == "" for one in asked)


@pytest.mark.usefixtures("tiny")
def test_a_batch_that_would_read_too_much_asks_nothing(tmp_path):
    said = []
    with pytest.raises(WarehouseError, match=r"over the limit of 1\.0 GiB; choose reports with"):
        beforehand(tmp_path, 2**30, said.append)
    assert said == []
