"""A release is built beside the one that is read, and takes its place in one step."""

import json
import re
from datetime import datetime, timedelta

import pytest

from fleetslo.errors import OutputError
from fleetslo.reports.page import Page
from fleetslo.reports.site import Drawn, Release, prune, read_published, switch

HTML = (
    "<!doctype html><html><head><title>{title}</title></head>"
    '<body><ul class="facts"></ul>{title}</body></html>'
)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def drawn(site, name, period="2026-10", run_id="1", title="first", needs=()):
    slug = {"2026-09": "2026-09-01_2026-10-01", "2026-10": "2026-10-01_2026-11-01"}[period]
    file = site.parent / "runs" / run_id / f"{name}-{slug}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HTML.format(title=title))
    page = Page(f"{slug}/{name}.html", name, f"reports/{name}", None, period, run_id, title)
    return Drawn(page, file, frozenset(needs))


def publish(site, run_id, *pages, **more):
    release = Release(site, run_id)
    release.build(read_published(site), pages, more.get("catalogue", {}))
    release.check(pages)
    return switch(release)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_first_release(site):
    index = publish(site, "1", drawn(site, "fleet"))
    assert index == site / "current" / "index.html"
    assert (
        site / "current"
    ).readlink().as_posix() == "releases/1"  # relative: the site can be moved
    assert 'href="2026-10-01_2026-11-01/fleet.html"' in index.read_text()
    assert files(site / "current") >= {"2026-10-01_2026-11-01/fleet.html", "site.json"}
    assert [path.name for path in (site / "releases").iterdir()] == ["1"]


def test_pages_of_earlier_runs_stay_as_the_same_files(site):
    publish(site, "1", drawn(site, "fleet"), drawn(site, "other"), catalogue={"a": {"squad": "s"}})
    publish(site, "2", drawn(site, "fleet", run_id="2", title="second"))
    first, second = site / "releases" / "1", site / "releases" / "2"
    slug = "2026-10-01_2026-11-01"
    assert ">second<" in (second / slug / "fleet.html").read_text().replace(
        "</ul>second", ">second"
    )
    assert "first" in (first / slug / "fleet.html").read_text()
    assert (first / slug / "other.html").samefile(second / slug / "other.html")
    assert {asset.stat().st_nlink for asset in (second / "assets").iterdir()} == {2}
    published = read_published(site)
    assert {(page.name, page.run_id) for page in published.pages} == {
        ("fleet", "2"),
        ("other", "1"),
    }
    assert published.services == {"a": {"squad": "s"}}
    assert published.release == second


def test_the_period_before_is_linked_both_ways_without_touching_the_old_release(site):
    publish(site, "1", drawn(site, "fleet", "2026-09"))
    publish(site, "2", drawn(site, "fleet", "2026-10", run_id="2"))
    old = "2026-09-01_2026-10-01/fleet.html"
    assert (
        'href="../2026-10-01_2026-11-01/fleet.html" rel="next"'
        in (site / "releases" / "2" / old).read_text()
    )
    assert 'rel="next"' not in (site / "releases" / "1" / old).read_text()


def rows_of(site, run_id):
    """The file that the index of a release asks for, and every such file of that release."""
    release = site / "releases" / run_id
    (asked,) = re.findall(r'src="(assets/index-[^"]+)"', (release / "index.html").read_text())
    return asked, {f"assets/{path.name}" for path in (release / "assets").glob("index-*.js")}


def test_the_rows_of_a_large_index_outlive_it_for_a_day(site):
    catalogue = {f"service-{n}": {"squad": "s"} for n in range(300)}
    publish(site, "1", drawn(site, "fleet"), catalogue=catalogue)
    publish(site, "2", drawn(site, "fleet", run_id="2"), catalogue={"one-more": {}})
    first, second = rows_of(site, "1"), rows_of(site, "2")
    assert first[1] == {first[0]}
    assert second[1] == {first[0], second[0]}  # whoever has the first index open asks for its rows
    for asked, count in ((first[0], 300), (second[0], 301)):
        rows = (site / "current" / asked).read_text()
        assert rows.count("service-") == 300
        assert ("one-more" in rows) == (count == 301)

    state = site / "current" / "site.json"
    stored = json.loads(state.read_text())
    assert list(stored["outdated"]) == [first[0].removeprefix("assets/")]
    (since,) = stored["outdated"].values()
    day_before = datetime.fromisoformat(since) - timedelta(days=1, seconds=1)
    stored["outdated"] = dict.fromkeys(stored["outdated"], day_before.isoformat())
    state.write_text(json.dumps(stored))
    publish(site, "3", drawn(site, "fleet", run_id="3"))
    assert rows_of(site, "3")[1] == {second[0]}  # the same rows, asked for again


def test_a_release_knows_those_before_it(site):
    for number in "123":
        publish(site, number, drawn(site, "fleet", run_id=number))
    published = read_published(site)
    assert published.history == ["1", "2"]
    assert published.known == {"1", "2", "3"}


def test_a_release_that_lacks_a_file_is_not_published(site):
    publish(site, "1", drawn(site, "fleet"))
    before = files(site / "current")
    with pytest.raises(OutputError, match=r"not published: .*fleet.html: gone/x.html is missing"):
        publish(site, "2", drawn(site, "fleet", run_id="2", needs=["gone/x.html", "index.html"]))
    assert (site / "current").readlink().as_posix() == "releases/1"
    assert files(site / "current") == before


def test_what_stands_in_the_way_of_the_switch_leaves_the_site_as_it_was(site):
    publish(site, "1", drawn(site, "fleet"))
    release = Release(site, "2")
    pages = [drawn(site, "fleet", run_id="2")]
    release.build(read_published(site), pages, {})
    (site / ".current-2").mkdir()
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        switch(release)
    assert (site / "current").readlink().as_posix() == "releases/1"
    assert not (site / "releases" / "2").exists()


def test_old_releases_go_and_so_does_what_a_killed_run_left(site):
    for number in range(1, 6):
        publish(site, str(number), drawn(site, "fleet", run_id=str(number)))
    Release(site, "0").folder.mkdir()
    assert prune(site, keep=2) == [".0.building", "1", "2"]
    assert sorted(path.name for path in (site / "releases").iterdir()) == ["3", "4", "5"]
    assert "first" in (site / "current" / "2026-10-01_2026-11-01" / "fleet.html").read_text()


def test_a_file_system_without_hard_links_gets_copies(site, monkeypatch):
    def refuse(source, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    publish(site, "1", drawn(site, "fleet"))
    publish(site, "2", drawn(site, "other", run_id="2"))
    path = "2026-10-01_2026-11-01/fleet.html"
    one, two = (site / "releases" / run_id / path for run_id in "12")
    assert one.read_bytes() == two.read_bytes()
    assert not one.samefile(two)


def test_a_site_of_another_kind_is_refused(site):
    assert read_published(site).pages == ()
    publish(site, "1", drawn(site, "fleet"))
    state = site / "current" / "site.json"
    for text in ("{", "[]", json.dumps({"format": 99})):
        state.write_text(text)
        with pytest.raises(OutputError, match=r"site.json: cannot be read .*; move .*site away"):
            read_published(site)
    (site / "current").unlink()
    (site / "current").mkdir()
    with pytest.raises(OutputError, match="current: not a link to a release; move it away"):
        read_published(site)
