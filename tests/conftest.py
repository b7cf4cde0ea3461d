"""What tests share: a tiny demo fleet, made once for all workers."""

import fcntl
import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.chromium", "tests.loopback", "tests.storage"]
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to go on where tests of one group would be spread over the workers, unseen."""
    if getattr(session.config.option, "loadgroup", False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError(f"pytest-xdist does not keep the group of {item.nodeid}")


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FLEETSLO_HOME whose warehouse holds the demo fleet of size tiny; not to be written to."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    home = shared / "tiny-home"
    with (shared / "tiny-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "made").exists():
            from fleetslo.measuring import make_demo
            from fleetslo.settings import load_settings

            settings = load_settings({}, {"FLEETSLO_HOME": str(home)}).settings
            make_demo(settings, "tiny", 1)
            (home / "made").touch()
    return home


@pytest.fixture
def tiny(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment points at the tiny demo fleet."""
    monkeypatch.setenv("FLEETSLO_HOME", str(tiny_home))
    monkeypatch.delenv("FLEETSLO_WAREHOUSE", raising=False)
    return tiny_home
