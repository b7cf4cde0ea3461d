"""Readers who go on reading while releases are published; none may meet a broken page or a mixture."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.small_site import SLUG, SmallSite, asked_by, style_of
from tests.storage import StorageServer

from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.site import prune

ROOT = Path(__file__).parent.parent.parent

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


@contextmanager
def reading(count: int, root: str) -> Iterator[dict[str, Any]]:
    """Let many read while the body runs; what they met is in the dictionary afterwards.

    A hundred share a process: more would wait for each other, not for the server.
    """
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    met: dict[str, Any] = {"wrong": [], "opened": Counter(), "releases": set()}
    shares = [min(100, count - begun) for begun in range(0, count, 100)]
    with ExitStack() as stack:
        groups = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.reading", str(share), root],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environ,
                )
            )
            for share in shares
        ]
        for group in groups:
            assert group.stdout is not None
            assert group.stdout.readline() == b"reading\n"
        yield met
        for group in groups:
            assert group.stdin is not None
            group.stdin.close()
        for group in groups:
            assert group.stdout is not None
            told = json.loads(group.stdout.read())
            met["wrong"] += told["wrong"]
            met["opened"].update(told["opened"])
            met["releases"].update(told["releases"])


def watched(count: int, root: str, publish: Callable[[int], object], times: int) -> None:
    with reading(count, root) as met:
        for number in range(1, times + 1):
            publish(number)
    opened = met["opened"]
    assert met["wrong"] == []
    assert len(met["releases"]) > 1  # they read while it was published
    assert opened["fleet.html"] >= count
    assert opened["style"] >= opened["fleet.html"]
    assert opened["index"] >= opened["fleet.html"]  # the rows of an index


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
    watched(count, web, publish, times)


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
        time.sleep(0.3)

    publish(0)
    watched(count, storage.address("").rstrip("/"), publish, times)


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
