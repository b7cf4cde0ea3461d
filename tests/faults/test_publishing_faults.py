"""What goes wrong between here and the bucket, through a proxy that answers that way."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from fault_project import Project
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from tests.small_site import SmallSite, linked_from
from tests.storage import BUCKET, QUICK, StorageServer

from fleetslo.cli import run
from fleetslo.errors import OutputError, SettingsError
from fleetslo.reports.publishing.reading import current
from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.publishing.store import Store, open_store, parts_of
from fleetslo.settings import load_settings

FIRST, SECOND, THIRD = "20261101T060000Z-aaaa", "20261102T060000Z-bbbb", "20261103T060000Z-cccc"


class Proxy(ThreadingHTTPServer):
    """Hands requests on; ``refusals`` are answered first, those that match ``always`` for ever.

    ``swallowed`` are names of files whose next upload is handed on and answered with 503.
    """

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Hop)
        self.behind = behind
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refusals: list[int] = []
        self.always: tuple[str, int] | None = None
        self.swallowed: list[str] = []
        self.lock = threading.Lock()

    def refusal(self, path: str) -> int | None:
        with self.lock:
            if self.refusals:
                return self.refusals.pop(0)
        return self.always[1] if self.always and self.always[0] in path else None

    def swallows(self, body: bytes) -> bool:
        with self.lock:
            for name in self.swallowed:
                if f'"name": "{name}"'.encode() in body:
                    self.swallowed.remove(name)
                    return True
        return False


class Hop(BaseHTTPRequestHandler):
    server: Proxy

    def _hop(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if status := self.server.refusal(self.path):
            self._answer(status, b'{"error": {"code": %d, "message": "so it is"}}' % status, {})
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        answer = requests.request(self.command, self.server.behind + self.path, data=body,
                                  headers=headers, timeout=10, stream=True)  # fmt: skip
        if self.server.swallows(body):
            self._answer(503, b"", {})
            return
        self._answer(answer.status_code, answer.raw.read(), dict(answer.headers))

    do_GET = do_POST = do_PUT = do_DELETE = _hop  # noqa: N815  names that http.server asks for

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(storage: StorageServer) -> Iterator[Proxy]:
    with Proxy(storage.url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def site(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "home")


def store_of(proxy: Proxy, bucket: str = BUCKET) -> Store:
    options = ClientOptions(api_endpoint=proxy.url)
    return Store(
        f"gs://{bucket}/slo", Client("p", AnonymousCredentials(), client_options=options), QUICK
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_passes_is_tried_again(site: SmallSite, proxy: Proxy, status: int) -> None:
    site.publish(FIRST)
    proxy.refusals = [status] * 3
    assert publish_site(site.folder, store_of(proxy)).run_id == FIRST


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "credentials are no longer good; run 'gcloud auth"),
        (403, "403: so it is; it takes the role Storage Object User on the bucket"),
        (429, "failed again and again .[0-9]+: so it is.*'fleetslo site publish' tries again"),
        (503, "failed again and again .[0-9]+: so it is.*'fleetslo site publish' tries again"),
    ],
)
def test_what_stays_is_said_and_readers_see_what_they_saw(
    site: SmallSite, proxy: Proxy, storage: StorageServer, status: int, says: str
) -> None:
    site.publish(FIRST)
    publish_site(site.folder, storage.store())
    index = storage.store().read("index.html")
    site.publish(SECOND, ["fleet", "other"])
    proxy.always = ("/upload/", status)
    with pytest.raises(OutputError, match=f"^gs://reports/slo: .*{says}"):
        publish_site(site.folder, store_of(proxy))
    assert storage.store().read("index.html") == index
    pointer = current(storage.store())
    assert pointer is not None
    assert pointer.run_id == FIRST


def test_an_answer_that_is_lost_is_not_taken_for_another_publisher(
    site: SmallSite, proxy: Proxy, storage: StorageServer
) -> None:
    """The switch is done, its answer lost, and the second try meets the first one's work: 412."""
    site.publish(FIRST)
    proxy.swallowed = ["slo/current.json", "slo/index.html"]
    assert publish_site(site.folder, store_of(proxy)).run_id == FIRST
    assert proxy.swallowed == []
    pointer = current(storage.store())
    assert pointer is not None
    assert pointer.run_id == FIRST
    index = storage.store().read("index.html")
    assert index is not None
    assert f'<base href="releases/{FIRST}/">'.encode() in index[0]


def test_a_bucket_that_is_not_there_is_said(site: SmallSite, proxy: Proxy) -> None:
    site.publish(FIRST)
    with pytest.raises(OutputError, match=r"gs://elsewhere/slo: there is no such bucket.*setting"):
        publish_site(site.folder, store_of(proxy, "elsewhere"))


def test_a_server_that_is_away_is_said(site: SmallSite, storage: StorageServer) -> None:
    site.publish(FIRST)
    storage.kill()
    with pytest.raises(
        OutputError, match=r"did not answer in time .*'fleetslo site publish' tries"
    ):
        publish_site(site.folder, storage.store())


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("gs://reports", ("reports", "")),
        ("gs://reports/", ("reports", "")),
        ("gs://my.reports-1/slo/weekly//", ("my.reports-1", "slo/weekly/")),
    ],
)
def test_an_address_has_a_bucket_and_a_prefix(address: str, parts: tuple[str, str]) -> None:
    assert parts_of(address) == parts


@pytest.mark.parametrize(
    "address", ["", "reports", "gs://", "s3://reports/x", "gs://A/x", "gs://ab/x?y"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="write gs://bucket/prefix, or leave it empty"):
        parts_of(address)


def test_without_credentials_it_is_said_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # there is no machine's service account here either
    settings = load_settings({"publish": "gs://reports/slo"}, {}).settings
    with pytest.raises(OutputError, match="no Google credentials here; run 'gcloud auth"):
        open_store(settings)


@pytest.fixture
def told(
    site: SmallSite, storage: StorageServer, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Any:
    """Runs a command with the settings of the site and the server; returns code, out and err."""
    for name, value in {
        "HOME": str(site.home),
        "PUBLISH": "gs://reports/slo",
        "STORAGE_ENDPOINT": storage.url,
    }.items():
        monkeypatch.setenv(f"FLEETSLO_{name}", value)

    def command(*words: str) -> tuple[int, str, str]:
        code = run(["site", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_the_commands_say_what_is_published_where(told: Any, site: SmallSite) -> None:
    assert told("show") == (0, "nothing is published yet; 'fleetslo run' makes the reports\n", "")
    code, _, err = told("publish")
    assert code == 60
    assert "nothing was published here yet" in err
    site.publish(FIRST, ["fleet", "other"])
    code, out, _ = told("show")
    assert code == 0
    assert out.endswith(
        "gs://reports/slo does not show what is published here: 'fleetslo site publish'\n"
    )
    assert f"current/index.html   {FIRST}" in out
    code, out, err = told("publish")
    assert (code, out.splitlines()[0]) == (0, f"gs://reports/slo shows {FIRST}")
    count = len(site.files()) - 1
    assert out.splitlines()[1] == f"{count} files uploaded, 0 unchanged since the release before"
    assert err == f"uploading: {count} of {count}\n"
    code, out, _ = told("show")
    rows = [line.split() for line in out.splitlines() if "index.html" in line]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        (str(site.folder / "current" / "index.html"), FIRST, "2"),
        ("gs://reports/slo/index.html", FIRST, "2"),
    ]
    assert rows[0][-2:] == [f"{sum(map(len, site.files().values())) / 2**20:.1f}", "MiB"]


def test_the_command_goes_back_and_says_what_is_kept_and_stale(told: Any, site: SmallSite) -> None:
    for run_id in (FIRST, SECOND):
        site.publish(run_id)
        assert told("publish")[0] == 0
    assert told("switch", FIRST) == (
        0,
        f"gs://reports/slo shows {FIRST}\n{site.folder} shows {FIRST}\n",
        "",
    )
    site.publish(THIRD, [], failed=["fleet", "never"])
    code, out, _ = told("show")
    assert code == 0
    readers = [(line.split()[0], line.split()[-1]) for line in out.splitlines() if "T06" in line]
    assert readers[2:] == [
        (THIRD, "shown"), (SECOND, "kept"), (FIRST, "kept"), (SECOND, "kept"), (FIRST, "shown")
    ]  # fmt: skip
    assert out.endswith(
        "2 reports could not be made; readers see an earlier page, or none:\n"
        "  never, 1 Oct – 1 Nov 2026: not made (it broke)\n"
        "  fleet, 1 Oct – 1 Nov 2026: stale since 3 Nov 2026 06:00 UTC (it broke)\n"
    )
    code, _, err = told("switch", "20250101T000000Z-dead")
    assert code == 60
    assert err == (
        f"fleetslo: {site.folder}: release 20250101T000000Z-dead is not kept there; kept are: "
        f"{THIRD}, {SECOND}, {FIRST}\n"
    )


def test_prune_says_what_goes_and_does_it(told: Any, site: SmallSite) -> None:
    runs = [f"2026110{number}T060000Z-aaaa" for number in range(1, 7)]
    for run_id in runs:
        site.publish(run_id)
        assert told("publish")[0] == 0
    folder = site.folder
    assert told("prune", "--older-than", "90d") == (0, "there is nothing to remove\n", "")
    gone = [f"would remove {run_id} from {folder}\n" for run_id in runs[:2]]
    assert told("prune", "--dry-run") == (
        0,
        "".join(gone),
        "",
    )  # three are kept besides the current
    assert told("prune", "--keep", "1")[1] == "".join(
        f"removed {run_id} from {folder}\n" for run_id in runs[:4]
    )
    left = sorted(path.name for path in (folder / "releases").iterdir())
    assert left == runs[4:]
    assert told("prune", "--older-than", "old")[0] == 30


def test_a_setting_that_is_no_address_is_said(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETSLO_PUBLISH", "")
    code, _, err = told("publish")
    assert (code, err) == (
        3,
        "fleetslo: setting 'publish' is '': write gs://bucket/prefix, or leave it empty\n",
    )


@pytest.fixture
def shared(project: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose batches publish to the bucket, through the proxy."""
    monkeypatch.setenv("FLEETSLO_PUBLISH", "gs://reports/slo")
    monkeypatch.setenv("FLEETSLO_STORAGE_ENDPOINT", proxy.url)
    return project


def pages_shown(storage: StorageServer) -> set[str]:
    """Names of the pages that the index in the bucket leads to, each of which is there."""
    address = storage.address("index.html")
    links = linked_from(address, requests.get(address, timeout=10).text)
    for link in links:
        assert requests.get(link, timeout=10).status_code == 200, link
    return {link.rpartition("/")[2].removesuffix(".html") for link in links}


def test_a_batch_publishes_to_the_bucket_and_builds_on_what_is_there(
    shared: Project, storage: StorageServer, tmp_path: Path
) -> None:
    assert shared.run("2026-11-01", "a", "b") == (0, "")
    assert pages_shown(storage) == {"a", "b"}
    # On a machine that starts with an empty home, as a container does.
    shutil.move(shared.home, tmp_path / "gone")
    assert shared.run("2026-11-08", "a") == (0, "")
    assert pages_shown(storage) == {"a", "b"}  # the newest of each
    site = shared.home / "site" / "current"
    older = "2026-10-04_2026-11-01/one"
    newer = "2026-10-11_2026-11-08/one"
    assert {f"{older}/a.html", f"{older}/b.html", f"{newer}/a.html"} <= set(shared.site())
    assert f'href="../../{newer}/a.html" rel="next"' in (site / older / "a.html").read_text()
    assert f'href="../../{older}/a.html" rel="prev"' in (site / newer / "a.html").read_text()
    run_id = site.resolve().name
    for path, content in shared.site().items():
        if path != "index.html":
            url = storage.address(f"releases/{run_id}/{path}")
            assert requests.get(url, timeout=10).content == content


@pytest.mark.long
def test_a_bucket_that_refuses_leaves_the_folder_published_and_is_said(
    shared: Project, proxy: Proxy, storage: StorageServer
) -> None:
    assert shared.run("2026-11-01", "a") == (0, "")
    proxy.always = ("/upload/", 403)
    code, said = shared.run("2026-11-01", "a", "b")
    assert code == 60
    assert (
        said
        == "gs://reports/slo: 403: so it is; it takes the role Storage Object User on the bucket\n"
    )
    assert pages_shown(storage) == {"a"}
    assert {path for path in shared.site() if path.endswith("/b.html")}
    record = json.loads(max(shared.home.glob("runs/*/manifest.json")).read_text())
    assert record["outcome"] == "failed"
    assert record["failure"]["message"] == said.strip()
    assert record["publication"] == {"release": record["run_id"], "store": None}
    proxy.always = None
    assert shared.run("2026-11-01", "c") == (0, "")
    assert pages_shown(storage) == {"a", "b", "c"}


def test_a_bucket_that_is_not_there_stops_the_batch_before_it_runs(
    shared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_PUBLISH", "gs://elsewhere")
    shared.report("from pathlib import Path\nPath('ran').touch()")
    code, said = shared.run("2026-11-01", "a")
    assert code == 60
    assert said.startswith("gs://elsewhere: there is no such bucket")
    assert not (shared.folder / "ran").exists()
