"""Readers who go on reading while releases are published; none may meet a broken page or a mixture."""

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from tests.small_site import SLUG, SmallSite, asked_by, style_of
from tests.storage import StorageServer

from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.site import prune

# A web server over the folder, as any is: the link is followed anew for every request.
SERVER = """
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_): pass

class Server(ThreadingHTTPServer):
    request_queue_size = 1024

server = Server(("127.0.0.1", 0), partial(Quiet, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def site(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "here")


@pytest.fixture
def web(site: SmallSite) -> Iterator[str]:
    """The address of a web server over the published folder."""
    command = [sys.executable, "-c", SERVER, str(site.folder / "current")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.terminate()


def run_of(number: int) -> str:
    return f"20261101T06{number:04}Z-aaaa"


class Readers:
    """Many of them, each opening index and pages with what these ask for, until told to stop."""

    def __init__(self, count: int, root: str) -> None:
        self.count, self.root = count, root
        self.done = threading.Event()
        self.wrong: list[str] = []
        self.opened: Counter[str] = Counter()
        self.releases: set[str] = set()

    def __enter__(self) -> "Readers":
        self._threads = [
            threading.Thread(target=self._read, args=(number,)) for number in range(self.count)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        for thread in self._threads:
            thread.join()

    def _read(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311  when they come, not a secret
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    self._visit(session, chance)
                except requests.RequestException as error:
                    self.wrong.append(repr(error))
                if self.done.wait(chance.uniform(0, 1)):
                    return

    def _get(self, session: requests.Session, url: str) -> str | None:
        answer = session.get(url, timeout=60)
        self.opened[url.rpartition("/")[2].partition("-")[0]] += 1
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code} {url}")
            return None
        return answer.text

    def _visit(self, session: requests.Session, chance: random.Random) -> None:
        """Open the index, what it asks for, and from there a page, what it asks for."""
        url = f"{self.root}/index.html"
        index = self._get(session, url)
        if index is None:
            return
        time.sleep(chance.uniform(0, 0.1))  # a slow line; the switch may come in between
        for asset in asked_by(url, index):
            text = self._get(session, asset)
            if text and "/index-" in asset:
                # The rows name one service per release; the title above them counts all.
                rows = len(re.findall(r'"(?:service-|new-)', text))
                (told,) = re.findall(r"(\d+) services</h2>", index)
                if rows != int(told):
                    self.wrong.append(f"{rows} rows under a title of {told}: {asset}")
        base = re.search(r'<base href="([^"]+)"', index)
        page_url = f"{self.root}/{base[1] if base else ''}{SLUG}/fleet.html"
        page = self._get(session, page_url)
        if page is None:
            return
        (release,) = re.findall(r'name="release" content="([^"]+)"', page)
        self.releases.add(release)
        if not page.rstrip().endswith("</html>"):
            self.wrong.append(f"torn: {page_url}")
        time.sleep(chance.uniform(0, 0.1))
        for asset in asked_by(page_url, page):
            if (text := self._get(session, asset)) is not None and text != style_of(release)[1]:
                self.wrong.append(f"page of {release} with {text!r}")


def watched(readers: Readers, publish: Callable[[int], object], times: int) -> None:
    with readers:
        for number in range(1, times + 1):
            publish(number)
    assert readers.wrong == []
    assert len(readers.releases) > 1  # they read while it was published
    assert readers.opened["fleet.html"] >= readers.count
    assert readers.opened["style"] >= readers.opened["fleet.html"]
    assert readers.opened["index"] >= readers.opened["fleet.html"]  # the rows of an index


@pytest.mark.parametrize(
    ("count", "times"), [(30, 6), pytest.param(500, 20, marks=pytest.mark.long)]
)
def test_readers_of_a_folder_behind_a_web_server(
    site: SmallSite, web: str, count: int, times: int
) -> None:
    def publish(number: int) -> None:
        site.publish(run_of(number), ["fleet"], text="x" * 20_000)
        prune(site.folder, keep=3)
        time.sleep(0.3)

    publish(0)
    watched(Readers(count, web), publish, times)


@pytest.mark.parametrize(
    ("count", "times"), [(30, 6), pytest.param(500, 20, marks=pytest.mark.long)]
)
def test_readers_of_a_bucket(
    site: SmallSite, storage: StorageServer, count: int, times: int
) -> None:
    store = storage.store()

    def publish(number: int) -> None:
        site.publish(run_of(number), ["fleet"], text="x" * 20_000)
        publish_site(site.folder, store)

    publish(0)
    watched(Readers(count, storage.address("").rstrip("/")), publish, times)


def test_a_page_of_the_release_before_has_its_style_and_rows_after_the_switch(
    site: SmallSite, web: str
) -> None:
    site.publish(run_of(0), ["fleet"])
    address = f"{web}/{SLUG}/fleet.html"
    page, index = requests.get(address, timeout=10).text, requests.get(web, timeout=10).text
    for number in range(1, 4):
        site.publish(run_of(number), ["fleet"])
    prune(site.folder, keep=1)
    (style,) = asked_by(address, page)
    assert requests.get(style, timeout=10).text == style_of(run_of(0))[1]
    rows = [one for one in asked_by(f"{web}/", index) if "/index-" in one]
    assert len(rows) == 1
    answer = requests.get(rows[0], timeout=10)
    assert answer.status_code == 200
    assert f"new-{run_of(0)}" in answer.text
    assert f"new-{run_of(1)}" not in answer.text
