"""Services and squads that are called like paths or scripts, from loading to the browser."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from fleetslo.cli import run
from fleetslo.reports.check import check_page
from fleetslo.reports.site import read_published
from fleetslo.reports.slugs import slug

pytestmark = pytest.mark.xdist_group("hostile-names")  # their site is made once

UP = "../../etc/passwd"
IMAGE = "<img src=x onerror=alert(1)>"
SQUAD = '"><script>alert(2)</script>&amp;'
FIRST, LAST = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a fleet of two services, reported and published."""
    folder = tmp_path_factory.mktemp("hostile")
    pl.DataFrame({"service": [UP, IMAGE], "squad": SQUAD, "system": IMAGE, "tier": 1,
                  "language": "java", "framework": IMAGE, "lifecycle": "production",
                  "oncall_timezone": "Europe/Stockholm", "valid_from": FIRST,
                  "valid_to": pl.Series([None, None], dtype=pl.Datetime("us", "UTC"))}).write_parquet(
        folder / "services.parquet")  # fmt: skip
    minutes = pl.datetime_range(
        FIRST, LAST, "5m", closed="left", time_unit="us", time_zone="UTC", eager=True
    )
    rows = pl.DataFrame({"minute": minutes}).with_columns(
        endpoint=pl.lit(f"GET /{IMAGE}"), region=pl.lit(IMAGE), version=pl.lit(UP),
        request_count=pl.lit(100), error_count=pl.lit(1), duration_sum_s=pl.lit(5.0),
        latency=pl.lit([{"bucket": -70, "count": 99}]), quality=pl.lit("exact"), observed_count=pl.lit(100),
    )  # fmt: skip
    pl.concat([rows.with_columns(service=pl.lit(name)) for name in (UP, IMAGE)]).write_parquet(
        folder / "requests.parquet"
    )
    patch = pytest.MonkeyPatch()
    with patch.context() as set_to:
        set_to.setenv("FLEETSLO_HOME", str(folder / "home"))
        set_to.delenv("FLEETSLO_WAREHOUSE", raising=False)
        set_to.chdir(folder)
        for words in (
            ["warehouse", "create"],
            ["warehouse", "load", "services", "services.parquet"],
            ["warehouse", "load", "requests", "requests.parquet"],
            ["warehouse", "rollup"],
            ["run", "--as-of", "2026-11-01"],
        ):
            assert run(words) == 0, words
    return folder / "home"


@pytest.mark.timeout(280)
def test_each_name_has_a_file_of_its_own_inside_the_site(home: Path) -> None:
    site = (home / "site" / "current").resolve()
    published = read_published(home / "site")
    assert {page.service for page in published.pages} == {None, UP, IMAGE}
    assert {page.squad for page in published.pages} == {None, SQUAD}
    for page in published.pages:
        subject = page.service or page.squad
        assert (site / page.path).is_file()
        assert Path(page.path).stem == slug(subject or page.name)
        assert set(page.path) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-/")
    everything = [path for path in home.rglob("*") if path.is_file()]
    assert not [
        path for path in everything if "passwd" in path.name and "etc-passwd-" not in path.name
    ]
    assert not (home.parent / "etc").exists()


def test_no_page_has_a_name_as_markup_or_needs_what_is_not_there(home: Path) -> None:
    site = home / "site" / "current"
    pages = [path.relative_to(site).as_posix() for path in site.rglob("*.html")]
    assert len(pages) >= 5
    for path in pages:
        html = (site / path).read_text()
        assert "<img src=x" not in html
        assert "<script>alert" not in html
        checked = check_page(html, path)
        assert checked.problems == []
        assert [one for one in checked.needs if not (site / one).is_file()] == []


def test_a_feed_has_names_as_text(home: Path) -> None:
    feeds = list((home / "site" / "current" / "feeds").iterdir())
    assert [feed.stem for feed in feeds] == [slug(SQUAD)]
    feed = ElementTree.fromstring(feeds[0].read_text())  # noqa: S314  our own
    tags = {element.tag for element in feed.iter()}
    assert {tag.partition("}")[0] for tag in tags} == {"{http://www.w3.org/2005/Atom"}
    assert not {tag.partition("}")[2] for tag in tags} & {"script", "img"}
    assert SQUAD in "".join(feed.itertext())


@pytest.mark.browser
def test_no_name_runs_in_a_browser(home: Path, chromium: Any) -> None:
    site = home / "site" / "current"
    seen: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.on("dialog", lambda one: (seen.append(f"dialog: {one.message}"), one.dismiss()))
    page.on("pageerror", lambda error: seen.append(str(error)))
    # A request that the next page cuts off is aborted; one for what is not there is not found.
    page.on(
        "requestfailed",
        lambda one: "ABORTED" in one.failure or seen.append(f"asked for {one.url}"),
    )
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(200)
        assert page.evaluate("document.querySelectorAll('img[src=x], img[onerror]').length") == 0
    page.goto((site / "index.html").as_uri())
    assert IMAGE in page.inner_text("body")
    page.fill("input[type=search]", "<img")
    page.wait_for_timeout(200)
    page.click(f"a[href$='{slug(IMAGE)}.html']")
    page.wait_for_selector("h1")
    assert IMAGE in page.inner_text("h1")
    assert seen == []
    context.close()
