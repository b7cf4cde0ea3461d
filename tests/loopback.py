"""A BigQuery server on this machine's loopback, for tests that ask through Google's client."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

PLACE = Path(__file__).parent.parent / ".fleetslo" / "loopback"
STARTS_WITHIN_S = 120
"""How long the server may take to listen; a busy machine needs most of it."""


@dataclass(frozen=True)
class Server:
    """Where the server listens, a client that asks it, and its process."""

    url: str
    client: bigquery.Client
    process: "subprocess.Popen[bytes]"


def _listens_on(log: Path, server: "subprocess.Popen[bytes]") -> int:
    """Return the port that the server writes into its log once it listens."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                said = json.loads(line)
                if said["event"] == "rest.listen":
                    return int(said["port"])
        time.sleep(0.1)
    raise RuntimeError(f"the loopback server did not start:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def serving(log: Path) -> Iterator[Server]:
    """Run a server, empty at first, that writes into a log."""
    with log.open("wb") as writes:
        server = subprocess.Popen(
            [PLACE / "bin" / "bqemulator", "start", "--rest-port", "0", "--grpc-port", "0"],
            stdout=writes,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(PLACE)},
        )
    try:
        url = f"http://127.0.0.1:{_listens_on(log, server)}"
        client = bigquery.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=url),
        )
        yield Server(url, client, server)
        client.close()
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this worker's own, empty at first."""
    if not (PLACE / "installed").exists():
        pytest.skip("the loopback server is missing: make loopback")
    with serving(tmp_path_factory.mktemp("loopback") / "server.log") as server:
        yield server
