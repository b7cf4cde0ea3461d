"""What could not be made is told until it is: which page tells it, since when, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleetslo.errors import WarehouseError, WarehouseMissing
from fleetslo.reports.jobs import Job
from fleetslo.reports.manifest import Occasion
from fleetslo.reports.missed import Missed, banner, read_missed, still_missed
from fleetslo.reports.page import Page, Pages, history
from fleetslo.reports.running import run_schedule
from fleetslo.reports.site import Drawn, Release, read_published, switch
from fleetslo.reports.untried import newest_pages, planned_pages, tell_untried
from fleetslo.settings import load_settings

FIRST, SECOND, THIRD = "20261102T060000Z-aaaa", "20261109T060000Z-bbbb", "20261116T060000Z-cccc"
NOW = datetime(2026, 11, 16, 7, tzinfo=UTC)
WEEKS = {
    1: "2026-10-04/2026-11-01",
    8: "2026-10-11/2026-11-08",
    15: "2026-10-18/2026-11-15",
}


def page(ends: int, run_id: str = FIRST, name: str = "one/a", **more: str) -> Page:
    period = WEEKS[ends]
    path = f"{period.replace('/', '_')}/{name}.html"
    return Page(path, name, "reports/one", "a", period, run_id, "a", **more)  # type: ignore[arg-type]


def missed(ends: int, run_id: str, **more: str) -> Missed:
    return Missed(page(ends, run_id), "cell 2 of 3: ValueError: no", more.get("first", run_id))


def told(before: list[Missed], now: list[Missed], *pages: Page, **more: object) -> list[Missed]:
    given = {"good": (), "at": NOW, **more}
    return still_missed(before, now, Pages(pages), **given)  # type: ignore[arg-type]


def test_the_newest_good_page_of_the_series_tells_what_was_missed() -> None:
    (same,) = told([], [missed(8, SECOND)], page(1), page(8))
    assert same.shown_on == page(8).path
    (earlier,) = told([], [missed(8, SECOND)], page(1), page(1, name="one/b"))
    assert earlier.shown_on == page(1).path
    (never,) = told([], [missed(8, SECOND)], page(1, name="one/b"))
    assert never.shown_on is None
    # A report of earlier days, made up for, makes the newest page no older than it is.
    (past,) = told([], [missed(8, THIRD)], page(1), page(15))
    assert past.shown_on is None


def test_it_is_told_until_its_page_or_a_later_one_is_made() -> None:
    old = missed(8, SECOND)
    assert told([old], [], page(1)) == [replace(old, shown_on=page(1).path)]
    assert told([old], [], page(1), page(8, THIRD)) == []
    assert told([old], [], page(1), page(15, THIRD)) == []
    assert told([old], [], page(1, THIRD)) != []  # an earlier one, made again
    # A run found the page that is published to be what it would make.
    assert told([old], [], page(8, FIRST)) != []
    assert told([old], [], page(8, FIRST), good={page(8).path}) == []


def test_what_fails_again_is_told_once_and_since_the_first_time() -> None:
    (again,) = told([missed(8, SECOND)], [missed(8, THIRD)], page(1))
    assert (again.page.run_id, again.first_run) == (THIRD, SECOND)
    (next_week,) = told([missed(8, SECOND)], [missed(15, THIRD)], page(1))
    assert next_week.page.path == page(15).path
    assert (next_week.first_run, next_week.shown_on) == (SECOND, page(1).path)
    # Between the two it was good.
    (anew,) = told([missed(8, SECOND)], [missed(15, THIRD)], page(8, "20261110T060000Z-dddd"))
    assert anew.first_run == THIRD


def test_what_nobody_has_tried_for_more_than_a_month_is_not_told() -> None:
    day_40 = datetime(2026, 12, 19, 6, tzinfo=UTC)  # of a run of 9 November, 06:00
    assert told([missed(8, SECOND)], [], page(1), at=day_40) != []
    assert told([missed(8, SECOND)], [], page(1), at=day_40.replace(minute=1)) == []


def test_a_banner_says_since_when_and_why_and_is_escaped() -> None:
    one = Missed(page(15, THIRD), "cell 2: ValueError: <b>https://evil.example/", SECOND)
    assert banner(one, page(1).path) == (
        '<p class="note warning stale" role="note"><strong>Stale since 9 Nov 2026 06:00 UTC'
        "</strong>: the run of 16 Nov 2026 06:00 UTC failed to report on 18 Oct – 15 Nov 2026 "
        "(cell 2: ValueError: &lt;b&gt;https://evil.example/). "
        '<a href="../../failures/2026-10-18_2026-11-15/one/a.html">Why it failed</a></p>'
    )
    assert "the run of that time failed" in banner(replace(one, first_run=THIRD), page(1).path)
    assert read_missed([one.stored()]) == [one]


HTML = '<!doctype html><html><head><title>a</title></head><body><header class="head"><ul class="facts"></ul>{}</header>a</body></html>'


class Site:
    """A site of one small report."""

    def __init__(self, folder: Path) -> None:
        self.scratch, self.folder = folder, folder / "site"
        self.folder.mkdir()

    def publish(self, run_id: str, *good: Page, failed: tuple[Missed, ...] = ()) -> Path:
        for one in failed:
            file = self.scratch / run_id / one.path
            file.parent.mkdir(parents=True)
            file.write_text(HTML.format(one.reason))
        drawn = []
        for one in good:
            file = self.scratch / run_id / one.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(HTML.format(""))
            drawn.append(Drawn(one, file))
        release = Release(self.folder, run_id)
        before = read_published(self.folder)
        release.build(before, drawn, {}, failed, explained=self.scratch / run_id)
        release.check(drawn)
        return switch(release).parent.resolve()


def test_a_page_is_stale_in_one_release_and_the_same_file_again_in_none(tmp_path: Path) -> None:
    site = Site(tmp_path)
    one = page(1)
    first = site.publish(FIRST, one)
    second = site.publish(SECOND, failed=(missed(8, SECOND),))
    failure = missed(8, SECOND).path
    assert banner(missed(8, SECOND), one.path) in (second / one.path).read_text()
    assert "Stale" not in (first / one.path).read_text()  # another file by now
    assert "ValueError: no" in (second / failure).read_text()
    # What was missed is carried on, and so is its page, until it is made.
    other = site.publish("20261110T060000Z-dddd", page(1, "20261110T060000Z-dddd", "one/b"))
    assert (other / one.path).samefile(second / one.path)
    assert (other / failure).samefile(second / failure)
    third = site.publish(THIRD, page(8, THIRD))
    mended = (third / one.path).read_text()
    link = '<li><a href="../../2026-10-11_2026-11-08/one/a.html" rel="next">next →</a></li>'
    assert mended.replace(link, "") == (first / one.path).read_text()
    assert not (third / "failures").exists()
    assert read_published(site.folder).missed == []


def test_a_page_lists_the_reports_before_it_with_their_verdicts() -> None:
    weeks = [page(1, verdict="missed"), page(8, verdict="met"), page(15)]
    pages = Pages(weeks)
    assert history(weeks[0], pages) == ""
    html = history(weeks[2], pages)
    assert "<summary>2 earlier reports</summary>" in html
    newest, oldest = html.split("<li>")[1:]
    assert newest.startswith(
        '<a href="../../2026-10-11_2026-11-08/one/a.html">11 Oct – 8 Nov 2026</a>'
    )
    assert "Met</span>" in newest
    assert "Missed</span>" in oldest


def test_a_report_that_is_made_up_for_joins_the_history_of_later_ones(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.publish(FIRST, page(1), page(15))
    release = site.publish(SECOND, page(8, SECOND, verdict="missed"))
    html = (release / page(15).path).read_text()
    assert "<summary>2 earlier reports</summary>" in html
    assert "earlier report" not in (release / page(1).path).read_text()


def test_a_run_that_broke_off_before_its_first_report_makes_its_pages_stale(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    settings = load_settings({"home": str(tmp_path), "keep_releases": 1}).settings
    gone = WarehouseError("the warehouse <gone>\ndid not answer")
    one = page(8)
    job = Job("reports/one", tmp_path, one.name, one.path, "one", "a", one.period, "", {})
    tell_untried(planned_pages([job], FIRST), settings, FIRST, gone, {})
    assert list(site.folder.iterdir()) == []  # nothing was published, so nobody is to be told
    first = site.publish(FIRST, page(1))
    told_by = [f"2026110{n}T060000Z-aaaa" for n in range(3, 8)]
    for run_id in told_by:
        tell_untried(planned_pages([job], run_id), settings, run_id, gone, {})
    html = (site.folder / "current" / page(1).path).read_text()
    assert "<strong>Stale since 3 Nov 2026 06:00 UTC</strong>: the run of 7 Nov" in html
    assert "(WarehouseError: the warehouse &lt;gone&gt; did not answer)" in html
    assert "did not answer" in (site.folder / "current" / "failures" / one.path).read_text()
    # However often it fails, no more is kept than is set.
    assert sorted(path.name for path in (site.folder / "releases").iterdir()) == told_by[-2:]
    assert not first.exists()
    assert not any((tmp_path / "runs").iterdir())


def test_a_run_that_breaks_off_before_its_plan_makes_the_newest_pages_of_its_reports_stale(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    of = "service_slo/a"
    site.publish(
        FIRST,
        page(1, name=of),
        page(8, name=of),
        page(8, name="service_slo/b"),
        page(8, name="x/a"),
    )
    gone = {"home": str(tmp_path), "warehouse": f"duckdb://{tmp_path}/gone"}
    settings = load_settings(gone).settings

    def run(run_id: str, occasion: Occasion, *only: str) -> None:
        with pytest.raises(WarehouseMissing):
            run_schedule(settings, run_id=run_id, occasion=occasion, only=only)

    def banner_on(ends: int, name: str) -> str:
        html = (site.folder / "current" / page(ends, name=name).path).read_text()
        start = html.find('<p class="note warning stale"')
        return html[start : html.find("</p>", start)] if start >= 0 else ""

    run(SECOND, Occasion())  # a person sees it
    run(SECOND, Occasion("backfill"))
    run(SECOND, Occasion("schedule"), "fleet_overview")  # none of it is published
    assert (site.folder / "current").resolve().name == FIRST
    run(SECOND, Occasion("schedule"), "service_slo")
    run(THIRD, Occasion("export"))
    for name in (of, "service_slo/b"):
        said = banner_on(8, name)
        assert "<strong>Stale since 9 Nov 2026 06:00 UTC</strong>: the run of 16 Nov 2026" in said
        assert "failed to make it anew (WarehouseMissing: there is no warehouse in" in said
        why = site.folder / "current" / "failures" / page(8, name=name).path
        assert "there is no warehouse in" in why.read_text()
    assert banner_on(1, of) == ""
    assert banner_on(8, "x/a") == ""
    assert "there is no warehouse" in (site.folder / "current" / "index.html").read_text()
    # The next run finds the page good as it is, or makes a later one.
    site.publish("20261117T060000Z-dddd", page(15, "20261117T060000Z-dddd", of))
    assert banner_on(8, of) == ""
    assert banner_on(8, "service_slo/b") != ""


def test_the_newest_pages_are_those_of_each_reports_newest_period(tmp_path: Path) -> None:
    site = Site(tmp_path)
    pages = [page(1, name="one/gone"), page(8, name="one/a"), page(1, name="two/a")]
    site.publish(FIRST, *pages)
    settings = load_settings({"home": str(tmp_path)}).settings
    found = newest_pages(settings, {"one", "two", "three"}, THIRD)
    # one/gone has had no page for a week: nobody waits for it.
    assert {one.name for one in found} == {"one/a", "two/a"}
    assert {one.run_id for one in found} == {THIRD}
