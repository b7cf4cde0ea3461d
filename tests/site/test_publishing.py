"""A site in a bucket, through Google's client and a storage server on loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from tests.small_site import SLUG, SmallSite, asked_by, linked_from, style_of
from tests.storage import StorageServer

from fleetslo.errors import OutputError
from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.pruning import kept_releases, prune_store
from fleetslo.reports.publishing.reading import contents_of, current
from fleetslo.reports.publishing.returning import show_again
from fleetslo.reports.publishing.sharing import catch_up, publish_site
from fleetslo.reports.publishing.store import packed
from fleetslo.reports.site import read_published

FIRST, SECOND, THIRD = "20261101T060000Z-aaaa", "20261102T060000Z-bbbb", "20261103T060000Z-cccc"


@pytest.fixture
def site(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "here")


def fetched(url: str) -> requests.Response:
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200, url
    return answer


def index_of(storage: StorageServer) -> str:
    return fetched(storage.address("index.html")).text


def test_a_site_in_the_bucket_reads_the_same_as_the_one_in_the_folder(
    site: SmallSite, storage: StorageServer
) -> None:
    release = site.publish(FIRST, ["fleet", "other", "review"])
    done = publish_site(site.folder, storage.store())
    local = site.files()
    assert done.run_id == release.name == FIRST
    assert (done.uploaded, done.copied) == (len(local) - 1, 0)  # the index lies at the top

    for path, content in local.items():
        if path == "index.html":
            continue
        answer = fetched(storage.address(f"releases/{FIRST}/{path}"))
        assert answer.content == content, path
        kinds = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
                 "js": "text/javascript; charset=utf-8", "json": "application/json",
                 "atom": "application/atom+xml"}  # fmt: skip
        assert answer.headers["Content-Type"] == kinds[path.rpartition(".")[2]]
        assert answer.headers["Content-Encoding"] == "gzip"
        forever = "max-age=31536000, immutable"
        kept = forever if path.startswith("assets/") else "max-age=3600"
        assert answer.headers["Cache-Control"] == kept, path

    answer = fetched(storage.address("index.html"))
    assert answer.headers["Cache-Control"] == "no-cache"
    base = f'\n<base href="releases/{FIRST}/">'
    inside = answer.text.replace(base, "").replace("../../index.html#", "#")
    assert inside.replace("../../feeds/", "feeds/") == (local["index.html"].decode())
    shown = linked_from(answer.url, answer.text)
    assert storage.address(f"releases/{FIRST}/{SLUG}/fleet.html") in shown
    for url in [*shown, *asked_by(answer.url, answer.text)]:
        fetched(url)
    # Whoever follows a feed is given an address that stays when the release has gone.
    assert 'title="Reliability of payments" href="../../feeds/payments.atom"' in answer.text
    feed = fetched(storage.address("feeds/payments.atom"))
    assert feed.content == local["feeds/payments.atom"]
    assert feed.headers["Cache-Control"] == "no-cache"
    entry = f"../{SLUG}/review.html"  # from the feed, an address that stays
    assert entry in feed.text
    assert (
        f'"../" + current.release + "{SLUG}/review.html"'
        in fetched(storage.address(f"{SLUG}/review.html")).text
    )


def test_what_has_not_changed_is_not_sent_again(site: SmallSite, storage: StorageServer) -> None:
    store = storage.store()
    site.publish(FIRST, ["fleet", "other"])
    publish_site(site.folder, store)
    before = {name: one.generation for name, one in store.files().items()}
    again = publish_site(site.folder, store)
    assert (again.run_id, again.uploaded, again.copied) == (FIRST, 0, 0)
    assert {name: one.generation for name, one in store.files().items()} == before

    # One page of two anew: it, its style, the rows of the index and site.json are sent.
    site.publish(SECOND, ["fleet"])
    done = publish_site(site.folder, store)
    contents = contents_of(store, SECOND)
    assert contents is not None
    assert done.uploaded == 4
    assert done.copied == len(contents.files) - 4
    assert contents.history == [FIRST]
    now = {name: one.generation for name, one in store.files().items()}
    top = {"index.html", "current.json"}
    assert {name for name in before if now[name] != before[name]} == top  # pages' addresses stay
    assert (
        fetched(storage.address(f"releases/{SECOND}/{SLUG}/other.html")).content
        == (site.files()[f"{SLUG}/other.html"])
    )


def test_two_publishers_at_once_lose_nothing_of_each_other(
    tmp_path: Path, storage: StorageServer
) -> None:
    sites = [SmallSite(tmp_path / name) for name in ("left", "right")]
    base = SmallSite(tmp_path / "base")
    base.publish(FIRST, ["fleet", "base"])
    publish_site(base.folder, storage.store())
    for number, one in enumerate(sites):
        catch_up(one.folder, storage.store())
        one.publish(f"20261102T06000{number}Z-aaaa", ["fleet", f"only-{number}"])
    faults: list[BaseException] = []

    def publish(one: SmallSite) -> None:
        try:
            publish_site(one.folder, storage.store())
        except BaseException as error:  # noqa: BLE001  shown below
            faults.append(error)

    threads = [threading.Thread(target=publish, args=(one,)) for one in sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    html = index_of(storage)
    shown = linked_from(storage.address("index.html"), html)
    names = {url.rpartition("/")[2] for url in shown}
    assert {"fleet.html", "base.html", "only-0.html", "only-1.html"} <= names
    (fleet,) = {url for url in shown if url.endswith("/fleet.html")}
    page = fetched(fleet)
    assert 'content="20261102T060001Z-aaaa"' in page.text  # of the two, the newer
    for url in [*shown, *asked_by(page.url, page.text)]:
        fetched(url)


def test_a_machine_without_a_site_takes_over_what_is_published(
    tmp_path: Path, site: SmallSite, storage: StorageServer
) -> None:
    site.publish(FIRST, ["fleet", "other"])
    publish_site(site.folder, storage.store())
    other = SmallSite(tmp_path / "elsewhere")
    catch_up(other.folder, storage.store())
    theirs, ours = other.files(), site.files()
    assert {path for path in theirs if path.startswith(SLUG)} == {
        f"{SLUG}/fleet.html", f"{SLUG}/other.html"
    }  # fmt: skip
    for path in theirs:
        if path.startswith((SLUG, "assets/")):
            assert theirs[path] == ours[path], path
    assert FIRST in read_published(other.folder).known
    catch_up(other.folder, storage.store())  # it knows all of it by now
    assert other.files() == theirs

    other.publish(SECOND, ["fleet"])
    publish_site(other.folder, storage.store())
    # The first machine has nothing that is not there, and leaves it as it is.
    assert publish_site(site.folder, storage.store()).run_id == SECOND
    pointer = current(storage.store())
    assert pointer is not None
    assert pointer.run_id == SECOND
    # Its next run builds upon it.
    site.publish(THIRD, ["mine"])
    publish_site(site.folder, storage.store())
    names = {
        url.rpartition("/")[2]
        for url in linked_from(storage.address("index.html"), index_of(storage))
    }
    assert {"fleet.html", "other.html", "mine.html"} <= names


def test_what_is_stale_is_so_in_the_bucket_and_on_other_machines(
    tmp_path: Path, site: SmallSite, storage: StorageServer
) -> None:
    site.publish(FIRST, ["fleet", "other"])
    publish_site(site.folder, storage.store())
    knowing = SmallSite(tmp_path / "knowing")
    catch_up(knowing.folder, storage.store())
    site.publish(SECOND, [], failed=["fleet", "never"])
    done = publish_site(site.folder, storage.store())
    # The stale page, two failures, the release's style, the rows of the index, and site.json.
    assert done.uploaded == 6
    stale = fetched(storage.address(f"releases/{SECOND}/{SLUG}/fleet.html"))
    assert "Stale since 2 Nov 2026 06:00 UTC" in stale.text
    (why,) = [url for url in linked_from(stale.url, stale.text) if "/failures/" in url]
    assert fetched(why).text == f"<!doctype html>it broke in {SECOND}"
    listed = linked_from(storage.address("index.html"), index_of(storage))
    assert {url.rpartition("/")[2] for url in listed if "/failures/" in url} == {
        "fleet.html", "never.html"
    }  # fmt: skip

    other = SmallSite(tmp_path / "elsewhere")
    ours = site.files()
    told = [f"{SLUG}/fleet.html", f"failures/{SLUG}/fleet.html", f"failures/{SLUG}/never.html"]
    for machine in (knowing, other):  # one that has the page already, and one that has nothing
        catch_up(machine.folder, storage.store())
        theirs = machine.files()
        assert {path: theirs[path] for path in told} == {path: ours[path] for path in told}
    # What is mended there is so here.
    other.publish(THIRD, ["fleet"])
    publish_site(other.folder, storage.store())
    catch_up(site.folder, storage.store())
    mended = site.files()
    assert b"Stale" not in mended[f"{SLUG}/fleet.html"]
    assert [path for path in mended if path.startswith("failures")] == [
        f"failures/{SLUG}/never.html"
    ]


def test_a_storage_that_dies_half_way_shows_what_it_showed(
    site: SmallSite, storage: StorageServer
) -> None:
    site.publish(FIRST, ["fleet"])
    publish_site(site.folder, storage.store())
    before = index_of(storage)
    many = [f"page-{number:02}" for number in range(40)]
    site.publish(SECOND, ["fleet", *many])

    def dies(done: int, total: int) -> None:
        if done == 20:
            storage.kill()

    with pytest.raises(
        OutputError, match=r"gs://reports/slo: the storage did not answer in time .*again"
    ):
        publish_site(site.folder, storage.store(), dies)
    storage.start()
    assert index_of(storage) == before
    assert fetched(storage.address("current.json")).json()["run_id"] == FIRST
    arrived = storage.store().files(f"releases/{SECOND}/")
    assert 0 < len(arrived) < 40
    done = publish_site(site.folder, storage.store())
    assert done.uploaded < 40 + 4  # what had arrived is not sent again
    for url in linked_from(storage.address("index.html"), index_of(storage)):
        fetched(url)


KILLED = """
import os, signal, sys
from pathlib import Path
from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.publishing.store import open_store
from fleetslo.settings import load_settings

def killed(done, total):
    if done == 20:
        os.kill(os.getpid(), signal.SIGKILL)

publish_site(Path(sys.argv[1]), open_store(load_settings().settings), killed)
"""


def test_a_publisher_that_is_killed_leaves_the_old_site_and_the_next_one_finishes(
    site: SmallSite, storage: StorageServer
) -> None:
    site.publish(FIRST, ["fleet"])
    publish_site(site.folder, storage.store())
    before = index_of(storage)
    site.publish(SECOND, ["fleet", *(f"page-{number:02}" for number in range(40))])
    environ = {
        **os.environ,
        "FLEETSLO_PUBLISH": "gs://reports/slo",
        "FLEETSLO_STORAGE_ENDPOINT": storage.url,
    }
    done = subprocess.run(
        [sys.executable, "-c", KILLED, site.folder], env=environ, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert index_of(storage) == before
    publish_site(site.folder, storage.store())
    assert fetched(storage.address("current.json")).json()["run_id"] == SECOND


def test_a_switch_that_broke_off_before_the_index_is_finished_by_the_next_one(
    site: SmallSite, storage: StorageServer
) -> None:
    store = storage.store()
    site.publish(FIRST, ["fleet"])
    publish_site(site.folder, store)
    index = store.read("index.html")
    assert index is not None
    site.publish(SECOND, ["fleet"])
    publish_site(site.folder, store)
    store.write("index.html", packed(index[0]), layout.KEPT_NEVER)  # as if never written
    # What the index leads to stays, however old it is.
    later = datetime.now(UTC) + timedelta(days=400)
    assert prune_store(store, keep=0, now=later) == []
    done = publish_site(site.folder, store)
    assert (done.uploaded, done.copied) == (0, 0)
    assert f'<base href="releases/{SECOND}/">' in index_of(storage)
    assert prune_store(store, keep=0, now=later) == [FIRST]


def test_old_releases_go_by_count_and_age_and_never_the_one_that_is_shown(
    site: SmallSite, storage: StorageServer
) -> None:
    store = storage.store()
    runs = [f"2026110{number}T060000Z-aaaa" for number in range(1, 6)]
    for run_id in runs:
        site.publish(run_id, ["fleet"])
        publish_site(site.folder, store)
    now = datetime.now(UTC)
    later = now + timedelta(days=2)
    assert [one.name for one in kept_releases(store)] == runs
    assert prune_store(store, keep=0, now=now) == []  # readers may have the others open
    assert prune_store(store, keep=0, now=later, older_than=timedelta(days=3)) == []
    assert prune_store(store, keep=2, now=later, dry_run=True) == runs[:2]
    assert [one.name for one in kept_releases(store)] == runs
    assert prune_store(store, keep=2, now=later) == runs[:2]
    assert prune_store(store, keep=0, now=later, older_than=timedelta(days=1)) == runs[2:4]
    left = {name.split("/")[1] for name in store.files("releases/")}
    assert left == {runs[-1]}
    for url in linked_from(storage.address("index.html"), index_of(storage)):
        fetched(url)


def test_an_upload_that_broke_off_goes_after_a_day(site: SmallSite, storage: StorageServer) -> None:
    store = storage.store()
    site.publish(FIRST, ["fleet"])
    publish_site(site.folder, store)
    store.write("releases/20261030T000000Z-dead/site.json", packed(b"{}"), layout.KEPT_AN_HOUR)
    now = datetime.now(UTC)
    assert prune_store(store, keep=0, now=now) == []
    later = now + timedelta(days=2)
    assert prune_store(store, keep=0, now=later) == ["20261030T000000Z-dead"]
    assert {name.split("/")[1] for name in store.files("releases/")} == {FIRST}


def test_two_sites_in_one_bucket_do_not_know_each_other(
    tmp_path: Path, storage: StorageServer
) -> None:
    for prefix in ("one", "two", ""):
        site = SmallSite(tmp_path / f"site-{prefix}")
        site.publish(FIRST, [f"page-{prefix or 'top'}"])
        assert publish_site(site.folder, storage.store(prefix)).copied == 0
    for prefix in ("one", "two"):
        index = fetched(storage.address("index.html", prefix)).text
        assert f"page-{prefix}.html" in index
    assert "page-top.html" in requests.get(f"{storage.url}/reports/index.html", timeout=10).text


def test_what_another_version_published_is_not_written_over(
    site: SmallSite, storage: StorageServer
) -> None:
    site.publish(FIRST, ["fleet"])
    for text in (b"{", b"[]", json.dumps({"format": 99}).encode()):
        storage.store().write("current.json", packed(text), layout.KEPT_NEVER)
        with pytest.raises(OutputError, match=r"slo/current.json: cannot be read .*publish under"):
            publish_site(site.folder, storage.store())


@pytest.mark.parametrize("path", ["../../../../stray.html", "/stray/x.html", "a/../../x.html"])
def test_a_release_that_names_files_outside_of_itself_is_not_taken_over(
    tmp_path: Path, site: SmallSite, storage: StorageServer, path: str
) -> None:
    site.publish(FIRST, ["fleet"])
    publish_site(site.folder, storage.store())
    state = json.loads(site.files()["site.json"])
    state["pages"][0]["path"] = path
    name = f"releases/{FIRST}/site.json"
    storage.store().write(name, packed(json.dumps(state).encode()), layout.KEPT_NEVER)
    other = SmallSite(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=f"names a file outside of itself, '{path}'; see who"):
        catch_up(other.folder, storage.store())
    assert not (other.folder / "current").exists()
    assert list((other.folder / "releases").iterdir()) == []


def test_nothing_published_here_is_said(site: SmallSite, storage: StorageServer) -> None:
    with pytest.raises(OutputError, match="nothing was published here yet; 'fleetslo run'"):
        publish_site(site.folder, storage.store())


def test_going_back_shows_an_earlier_release_here_and_there(
    site: SmallSite, storage: StorageServer
) -> None:
    store = storage.store()
    site.publish(FIRST, ["fleet", "review"], text="the first")
    publish_site(site.folder, store)
    first, index, feed = site.files(), index_of(storage), store.read("feeds/payments.atom")
    site.publish(SECOND, ["fleet", "review", "wrong"], text="the second")
    publish_site(site.folder, store)
    second = site.files()
    assert index_of(storage) != index

    assert show_again(site.folder, store, FIRST) == [store.address, str(site.folder)]
    now = site.files()
    assert {path: now[path] for path in first} == first
    # Whoever has a page of the second one open asks for its style now.
    assert set(now) - set(first) == {
        path for path in second if path.startswith("assets/") and path not in first
    }
    assert index_of(storage) == index
    again = store.read("feeds/payments.atom")
    assert feed is not None
    assert again is not None
    assert again[0] == feed[0]
    assert fetched(storage.address("current.json")).json()["pages"] == 2

    # The next run builds on the first release, and what was wrong stays away.
    site.publish(THIRD, ["other"])
    publish_site(site.folder, store)
    shown = linked_from(storage.address("index.html"), index_of(storage))
    names = {url.rpartition("/")[2] for url in shown}
    assert {"fleet.html", "review.html", "other.html"} <= names
    assert "wrong.html" not in names
    page = fetched(storage.address(f"releases/{THIRD}/{SLUG}/fleet.html"))
    assert "the first" in page.text


def test_going_back_to_what_is_not_kept_in_both_places_changes_nothing(
    site: SmallSite, storage: StorageServer, tmp_path: Path
) -> None:
    store = storage.store()
    site.publish(FIRST)
    site.publish(SECOND)
    publish_site(site.folder, store)
    before, index = site.files(), index_of(storage)
    kept = {str(site.folder): f"{SECOND}, {FIRST}", store.address: SECOND}
    for run_id, where in ((THIRD, str(site.folder)), (FIRST, store.address)):
        said = f"{where}: release {run_id} is not kept there; kept are: {kept[where]}"
        with pytest.raises(OutputError) as caught:
            show_again(site.folder, store, run_id)
        assert str(caught.value) == said
    assert (site.files(), index_of(storage)) == (before, index)
    assert show_again(site.folder, None, FIRST) == [str(site.folder)]
    # A machine without a site can do it, too; nothing appears there.
    other = SmallSite(tmp_path / "elsewhere")
    assert show_again(other.folder, store, SECOND) == [store.address]
    assert not (other.folder / "current").exists()


@pytest.mark.browser
def test_a_reader_goes_from_the_index_to_a_page_and_back_and_in_by_an_address_that_stays(
    site: SmallSite, storage: StorageServer, chromium: object
) -> None:
    site.publish(FIRST, ["fleet", "other"], text="the first")
    publish_site(site.folder, storage.store())
    context = chromium.new_context()  # type: ignore[attr-defined]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda one: one.status >= 400 and errors.append(f"{one.status} {one.url}"))
    page.goto(storage.address("index.html"))
    page.fill("input[type=search]", "service-007")
    page.wait_for_function("document.body.innerText.includes('service-007')")
    page.click("a[href$='fleet.html']")
    page.wait_for_url(f"**/releases/{FIRST}/{SLUG}/fleet.html")
    page.click("text=All")
    page.wait_for_url(storage.address("index.html"))
    page.focus("a.skip")
    page.keyboard.press("Enter")
    page.wait_for_url(storage.address("index.html#main"))

    site.publish(SECOND, ["fleet"], text="the second")
    publish_site(site.folder, storage.store())
    page.goto(storage.address(f"{SLUG}/fleet.html"))
    page.wait_for_url(f"**/releases/{SECOND}/{SLUG}/fleet.html")
    assert "the second" in page.inner_text("body")
    page.goto(storage.address(f"{SLUG}/other.html"))
    page.wait_for_url(f"**/releases/{SECOND}/{SLUG}/other.html")
    assert "the first" in page.inner_text("body")
    assert style_of(FIRST)[0] in page.content()
    assert errors == []
    # An address of a page that readers are to see no longer leads to the index.
    show_again(site.folder, storage.store(), FIRST)
    site.publish(THIRD, ["third"])
    publish_site(site.folder, storage.store())
    show_again(site.folder, storage.store(), FIRST)
    page.goto(storage.address(f"{SLUG}/third.html"))
    page.wait_for_url(storage.address("index.html"))
    assert errors == [f"404 {storage.address(f'releases/{FIRST}/{SLUG}/third.html')}"]
    context.close()
