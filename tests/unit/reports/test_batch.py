"""A batch from schedule to site, with real kernels and small notebooks."""

import json
import re
from multiprocessing import Pipe

import pytest

from fleetslo.errors import NotebookFailed, OutputError, ParameterError, PeriodError
from fleetslo.reports.batch import run_batch
from fleetslo.reports.check import check_page
from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.environ import notebook_environ
from fleetslo.reports.jobs import Result
from fleetslo.reports.page import begun, with_neighbours
from fleetslo.reports.schedule import plan_jobs, read_schedule
from fleetslo.reports.single import run_report
from fleetslo.reports.tasks import Draw, Execute
from fleetslo.reports.worker import Surroundings
from fleetslo.settings import load_settings

HOSTILE = "<script>alert(1)</script>/../x"
PARAMETERS = 'period: str = "28d"  # how far back\nas_of: str = ""\n'
SERVICE = 'service: str = "a"  # which service\n' + PARAMETERS

# Shown by payload alone: what a notebook's last line does, without importing the chart library.
DISPLAY = """\
from IPython.display import publish_display_data
publish_display_data({"application/vnd.fleetslo.block.v1+json": %s, "text/plain": "block"})
"""
VERDICT = DISPLAY % (
    '{"block": "verdict", "path": [["Fleet", "page:fleet"], [service, None]], "name": service, '
    '"verdict": "met", "sentence": f"`{service}` is **fine**.", "covers": [period], '
    '"headline": {"squad": "Pay", "tier": 1, "budget_left": 0.5}}'
)
FLEET = DISPLAY % (
    '{"block": "verdict", "path": [["Fleet", None]], "name": "The fleet", "verdict": None, '
    '"sentence": "**All** fine.", "covers": [], "headline": {}}'
)
SCHEDULE = """\
reports:
  - notebook: reports/fleet
  - notebook: reports/one
    for_each: service
"""


class Watcher:
    """Writes down what a batch says."""

    def __init__(self):
        self.said = []

    def planned(self, jobs):
        self.said.append(("planned", len(jobs)))

    def started(self, job):
        self.said.append(("started", job.page))

    def cell(self, job, cell, cells):
        self.said.append(("cell", job.page, cell, cells))

    def finished(self, job, result):
        self.said.append(("finished", job.page, result.outcome))

    def stage(self, what, done, total):
        self.said.append((what, done, total))


@pytest.fixture
def fleet(project):
    project.notebook(
        "reports/one", SERVICE, VERDICT, "if service == 'bad': raise ValueError(as_of)"
    )
    project.notebook(
        "reports/fleet", PARAMETERS, FLEET,
        end="See [a](page:one/a), [bad](page:one/bad) and [none](page:one/none).",
    )  # fmt: skip
    (project.folder / "notebooks" / "schedule.yaml").write_text(SCHEDULE)
    return project


def run(services, as_of="2026-11-01", **more):
    settings = load_settings({"jobs": 2}).settings
    jobs = plan_jobs(read_schedule(), as_of=as_of, subjects=lambda entry: services)
    return run_batch(jobs, settings, **more)


def manifest(folder):
    (newest,) = sorted((folder / ".fleetslo" / "runs").iterdir())[-1:]
    return json.loads((newest / "manifest.json").read_text()), newest


def test_a_site_grows_run_by_run_and_a_failure_costs_only_its_own_page(fleet):
    watcher = Watcher()
    report = run(["a", HOSTILE], progress=watcher, catalogue={"a": {"squad": "s"}, "z": {}})
    site = fleet.folder / ".fleetslo" / "site" / "current"
    october, november = (site / slug for slug in ("2026-10-04_2026-11-01", "2026-10-11_2026-11-08"))
    assert report.index == site / "index.html"
    assert {result.outcome for result in report.results.values()} == {"ok"}
    record, folder = manifest(fleet.folder)
    assert (record["outcome"], folder) == ("ok", report.folder)
    assert record["publication"] == {"release": report.run_id, "store": None}
    assert record["jobs"][1]["headline"] == {"squad": "Pay", "tier": 1, "budget_left": 0.5}
    assert watcher.said[0] == ("planned", 3)
    assert ("cell", "one/a", 4, 5) in watcher.said
    assert ("finished", "one/a", "ok") in watcher.said
    assert watcher.said[-1] == ("publishing", 3, 3)

    overview = (october / "fleet.html").read_text()
    assert '<a href="one/a.html">' in overview
    assert "page:" not in overview  # the pages that are not there are plain text
    assert "none" in overview
    a = (october / "one" / "a.html").read_text()
    assert 'href="../fleet.html"' in a
    assert "../../assets/style-" in a
    (hostile,) = (october / "one").glob("script-*.html")
    assert "<script>alert" not in hostile.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;/../x" in hostile.read_text()
    index = report.index.read_text()
    assert "<strong>All</strong> fine." in index
    assert "<script>alert" not in index
    assert str(fleet.folder) not in a + index + (site / "site.json").read_text()

    # A week later: one service fails, the others are published, the pages of before remain.
    with pytest.raises(NotebookFailed) as failed:
        run(["a", "bad"], as_of="2026-11-08")
    message = str(failed.value)
    assert message.startswith("1 of 3 reports failed; the other 2 are published\n")
    assert (
        "one/bad (reports/one): a cell raised: cell 4 of 4, line 1: ValueError: 2026-11-08"
        in message
    )
    record, folder = manifest(fleet.folder)
    assert record["outcome"] == "failed"
    assert [job["outcome"] for job in record["jobs"]] == ["ok", "ok", "failed"]
    error_page = folder / "failures" / "2026-10-11_2026-11-08" / "one" / "bad.html"
    assert str(error_page) in message
    assert "2026-11-08" in error_page.read_text()
    assert error_page.with_suffix(".ipynb").is_file()
    assert {path.name for path in (november / "one").iterdir()} == {"a.html"}
    assert (
        'href="../../2026-10-04_2026-11-01/one/a.html" rel="prev"'
        in (november / "one" / "a.html").read_text()
    )
    assert (
        'href="../../2026-10-11_2026-11-08/one/a.html" rel="next"'
        in (october / "one" / "a.html").read_text()
    )
    assert hostile.is_file()
    index = (site / "index.html").read_text()
    assert "1 report could not be made" in index
    assert 'href="2026-10-11_2026-11-08/one/a.html"' in index

    # The same period again, and everything fails: the good pages stay, one under a banner.
    before = pages_of(site)
    (fleet.folder / "notebooks" / "schedule.yaml").write_text(
        "reports:\n- {notebook: reports/one, for_each: service}"
    )
    fleet.notebook("reports/one", SERVICE, "1 / 0")
    with pytest.raises(NotebookFailed, match="1 of 1 report failed; nothing was published"):
        run(["a"], as_of="2026-11-08")
    after = pages_of(site)
    stale = "2026-10-11_2026-11-08/one/a.html"
    assert {path for path in before if after[path] != before[path]} == {stale}
    assert BANNER.sub("", after[stale]) == before[stale]
    assert after.keys() - before.keys() == {f"failures/{stale}"}
    assert "ZeroDivisionError" in after[f"failures/{stale}"]
    index = (site / "index.html").read_text()
    assert "2 reports could not be made" in index  # of "bad" nobody has tried again
    assert f'href="failures/{stale}"' in index


BANNER = re.compile(r'<p class="note warning stale" role="note">.*?</p>')


def pages_of(site):
    """Every page of a site by its path, its index apart."""
    return {
        path.relative_to(site.resolve()).as_posix(): path.read_text()
        for path in site.resolve().rglob("*.html")
        if path.name != "index.html"
    }


@pytest.mark.long
def test_a_stale_page_says_so_until_its_report_can_be_made_again(fleet):
    site = fleet.folder / ".fleetslo" / "site" / "current"
    run(["a", "b"])
    old, new = (f"{slug}/one/a.html" for slug in ("2026-10-04_2026-11-01", "2026-10-11_2026-11-08"))
    good = pages_of(site)
    fleet.notebook(
        "reports/one", SERVICE, VERDICT, "if service == 'a': raise ValueError('<b>&' + as_of)"
    )
    firsts = []
    for _ in range(2):  # it fails twice: stale since the first time
        with pytest.raises(NotebookFailed):
            run(["a", "b"], as_of="2026-11-08")
        firsts.append(manifest(fleet.folder)[0]["run_id"])
    told = pages_of(site)
    (banner,) = BANNER.findall(told[old])
    since, last = (f"{begun(one):%-d %b %Y %H:%M} UTC" for one in firsts)
    assert f"<strong>Stale since {since}</strong>" in banner
    assert last in banner or "the run of that time" in banner
    assert "failed to report on 11 Oct – 8 Nov 2026" in banner
    assert "ValueError: &lt;b&gt;&amp;2026-11-08)" in banner
    assert f'<a href="../../failures/{new}">Why it failed</a>' in banner
    assert BANNER.sub("", told[old]) == good[old]
    assert [path for path in told if BANNER.search(told[path])] == [old]
    failure = told[f"failures/{new}"]
    assert "ValueError: &lt;b&gt;&amp;2026-11-08" in failure
    assert check_page(failure, f"failures/{new}").problems == []
    assert 'href="../../../index.html"' in failure
    html = (site / "index.html").read_text()
    (row,) = re.findall(r"<tr>(?:(?!</tr>).)*>a</a></th>.*?</tr>", html)
    assert f'href="{old}"' in row
    assert f'<a href="failures/{new}">since {begun(firsts[0]):%-d %b}</a>' in row

    # Good again: no banner, no failure, and the pages know each other.
    fleet.notebook("reports/one", SERVICE, VERDICT)
    run(["a", "b"], as_of="2026-11-08")
    mended = pages_of(site)
    assert not any("stale" in text or path.startswith("failures") for path, text in mended.items())
    assert with_neighbours(mended[old], None, None) == with_neighbours(good[old], None, None)
    assert "could not be made" not in (site / "index.html").read_text()
    assert "Stale" not in (site / "index.html").read_text()


def test_a_report_that_was_never_good_has_a_page_of_its_failure_alone(fleet):
    site = fleet.folder / ".fleetslo" / "site" / "current"
    with pytest.raises(NotebookFailed):
        run(["bad"])
    path = "failures/2026-10-04_2026-11-01/one/bad.html"
    assert [one for one in pages_of(site) if "bad" in one] == [path]
    html = (site / "index.html").read_text()
    assert f'<a href="{path}">one/bad, 4 Oct – 1 Nov 2026</a>' in html
    assert f'<a href="{path}">not made</a>' in html


def test_no_secret_is_in_the_page_of_a_failure(fleet, monkeypatch):
    monkeypatch.setenv("WEBHOOK", "hunter2hunter2")
    fleet.notebook("reports/one", SERVICE + 'hook: str = ""', "raise ValueError(f'no {hook}')")
    (fleet.folder / "notebooks" / "schedule.yaml").write_text(
        "reports:\n- {notebook: reports/fleet}\n"
        "- {notebook: reports/one, for_each: service, parameters: {hook: '${WEBHOOK}'}}"
    )
    with pytest.raises(NotebookFailed):
        run(["a"])
    site = fleet.folder / ".fleetslo" / "site" / "current"
    failure = pages_of(site)["failures/2026-10-04_2026-11-01/one/a.html"]
    assert "ValueError: no " in failure
    for path in site.resolve().rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_a_page_that_is_wrong_is_not_published_and_nobody_links_to_it(fleet):
    bad_link = "from IPython.display import Markdown\nMarkdown('[x](gone.html)' if service == 'bad' else 'y')"
    fleet.notebook("reports/one", SERVICE, bad_link)
    with pytest.raises(NotebookFailed) as failed:
        run(["a", "bad"])
    assert "one/bad (reports/one): PageError: it has a dead link: " in str(failed.value)
    october = fleet.folder / ".fleetslo" / "site" / "current" / "2026-10-04_2026-11-01"
    assert {path.name for path in (october / "one").iterdir()} == {"a.html"}
    overview = (october / "fleet.html").read_text()
    assert "one/a.html" in overview
    assert "one/bad.html" not in overview


def test_a_place_that_cannot_be_written_is_found_before_anything_runs(fleet):
    (fleet.folder / ".fleetslo").write_text("a file in the way")
    watcher = Watcher()
    with pytest.raises(OutputError, match=r"\.fleetslo.*; a file stands where a folder is needed"):
        run(["a"], progress=watcher)
    assert watcher.said == []


def test_a_batch_without_jobs_publishes_nothing(fleet):
    report = run_batch([], load_settings().settings)
    assert (report.index, report.results) == (None, {})
    assert not (fleet.folder / ".fleetslo" / "site" / "current").exists()


def test_a_kernel_gets_the_settings_in_force(project, monkeypatch):
    monkeypatch.setenv("FLEETSLO_JOBS", "7")
    given = {"warehouse": "duckdb:///data", "jobs": 1, "keep_days": {"requests": 35, "errors": 7}}
    settings = load_settings(given).settings
    environ = notebook_environ(settings)
    assert environ["FLEETSLO_WAREHOUSE"] == "duckdb:///data"
    assert environ["FLEETSLO_JOBS"] == "1"
    assert environ["FLEETSLO_KEEP_DAYS"] == "requests=35,errors=7"
    assert environ["PLOTLY_RENDERER"] == "plotly_mimetype"
    monkeypatch.undo()
    monkeypatch.chdir(project.folder)
    assert load_settings(environ=environ).settings == settings


def test_one_report_is_written_where_it_was_asked_for(fleet):
    settings = load_settings().settings
    watcher = Watcher()
    given = {"service": HOSTILE, "as_of": "2026-11-01"}
    page = run_report("one", given, settings, progress=watcher)
    root = fleet.folder / ".fleetslo" / "reports"
    assert page.parent == root / "2026-10-04_2026-11-01" / "one"
    assert page.name.startswith("script-alert-1-script-x-")
    assert '"../../assets/style-' in page.read_text()
    assert list((root / "assets").glob("style-*.css"))
    assert 'href="page:' not in page.read_text()
    assert watcher.said[:2] == [("planned", 1), ("started", f"one/{HOSTILE}")]
    assert watcher.said[-1] == ("finished", f"one/{HOSTILE}", "ok")
    record, _ = manifest(fleet.folder)
    assert (record["outcome"], record["jobs"][0]["parameters"]) == ("ok", given)

    alone = run_report(
        "fleet", {}, settings, output=fleet.folder / "sent" / "fleet.html", standalone=True
    )
    assert [path.name for path in alone.parent.iterdir()] == ["fleet.html"]
    assert "<style>" in alone.read_text()


def test_one_report_that_fails_leaves_the_page_that_was_there(fleet):
    output = fleet.folder / "page.html"
    output.write_text("the page of before")
    with pytest.raises(NotebookFailed, match=r"one/bad: a cell raised: cell 4 of 4.*\n.*bad\.html"):
        run_report("one", {"service": "bad"}, load_settings().settings, output=output)
    assert output.read_text() == "the page of before"
    assert manifest(fleet.folder)[0]["outcome"] == "failed"


def test_one_report_with_a_wrong_page_is_not_written(fleet):
    fleet.notebook(
        "reports/wrong", None, "from IPython.display import Markdown\nMarkdown('[x](/y)')"
    )
    output = fleet.folder / "page.html"
    with pytest.raises(
        NotebookFailed, match="wrong: its page: it has a link that leads out of the site"
    ):
        run_report("wrong", {}, load_settings().settings, output=output)
    assert not output.exists()
    assert manifest(fleet.folder)[0]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"period": "soon"}, PeriodError),
        ({"period": "soon", "as_of": "2026-11-01"}, PeriodError),
        ({"service": 5}, ParameterError),
    ],
)
def test_one_report_is_refused_before_a_kernel_starts(fleet, given, error):
    with pytest.raises(error):
        run_report("one", given, load_settings().settings)
    assert not (fleet.folder / ".fleetslo").exists()


def test_a_folder_in_the_way_of_one_report_is_found_before_it_runs(fleet):
    with pytest.raises(OutputError, match="a folder is in the way; name the page's file"):
        run_report("one", {}, load_settings().settings, output=fleet.folder)
    assert not (fleet.folder / ".fleetslo").exists()


@pytest.mark.parametrize(
    ("values", "folder"),
    [({"period": "2026-10"}, "2026-10-01_2026-11-01"), ({"period": "28d"}, "latest")],
)
def test_a_report_whose_end_only_the_notebook_knows_is_the_latest(fleet, values, folder):
    page = run_report("fleet", values, load_settings().settings)
    assert page.parent.name == folder


def test_the_tasks_of_a_worker_do_in_this_process_what_they_do_in_theirs(fleet):
    """Execute and draw here, where coverage sees it."""
    settings = load_settings().settings
    jobs = plan_jobs(read_schedule(), as_of="2026-11-01", subjects=lambda entry: ["a", "bad"])
    ours, theirs = Pipe()
    surroundings = Surroundings(theirs, lambda code: None)
    environ = notebook_environ(settings)
    home = fleet.folder / "run"

    def execute(job) -> Result:
        limits, engine = Limits(60.0), "kernel"  # this process has used Polars
        task = Execute(job, home, "run", environ, settings.project, limits, engine)
        return task.run(surroundings)

    overview, good, bad = (execute(job) for job in jobs)
    assert (good.outcome, good.head.name, good.head.verdict) == ("ok", "a", "met")
    assert overview.head.name == "The fleet"
    assert good.executed == home / "notebooks" / "2026-10-04_2026-11-01" / "one" / "a.ipynb"
    assert bad.executed.is_relative_to(home / "failures")
    assert bad.executed.with_suffix(".html").read_text().count("ValueError") >= 1
    assert ours.recv()[0] == "kernel"
    from fleetslo.reports.page import Pages, page_of
    from fleetslo.reports.tasks import write_pages

    pages = [
        page_of(job, result.head, "run")
        for job, result in zip(jobs, (overview, good), strict=False)
    ]
    known = write_pages(home / "known.json", Pages(pages))
    checked = Draw(pages[0], overview.executed, home / "fleet.html", known).run(surroundings)
    assert checked.problems == []
    assert checked.needs >= {"2026-10-04_2026-11-01/one/a.html", "index.html"}
    alone = Draw(pages[1], good.executed, home / "a.html", standalone=True).run(surroundings)
    assert (alone.problems, alone.needs) == ([], set())
