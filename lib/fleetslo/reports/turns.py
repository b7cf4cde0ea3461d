"""Batches of one home folder take turns; shards of a batch may run beside each other.

::

    <home>/batches/
      whole.lock            held by a batch that makes everything
      shard-2-of-8.lock     held by a shard
      .door                 held for the moment in which one of them is taken

Who holds a lock stands in its file. The kernel frees it when the process ends, however it ends, so
nothing is to be cleared away after a crash. Machines that share a home exclude each other as far
as their file system carries ``flock`` from one to the other: NFS 4 does, object stores do not.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fleetslo.errors import BatchUnderWay
from fleetslo.files import folder, write_file, writing
from fleetslo.reports.manifest import call_killed

_POLL_S = 0.2
_WHOLE = "whole"


@dataclass(frozen=True)
class Holder:
    """Who makes a batch: its run, its process, the machine, and since when."""

    run_id: str
    pid: int
    host: str
    since: str


@contextmanager
def turn(home: Path, run_id: str, *, shard: str = "", wait: bool = False) -> Iterator[None]:
    """Hold the turn of a batch; others are refused until it ends.

    What runs left that were killed is called so in their records first.

    Args:
        home: the home folder of the settings.
        run_id: name of the run.
        shard: ``2/8`` where it is the second of eight parts; empty makes everything.
        wait: whether to wait for the turn.

    Raises:
        BatchUnderWay: another batch runs, or this very shard does.
        OutputError: the home folder cannot be written.
    """
    root = folder(home / "batches")
    own = f"shard-{shard.replace('/', '-of-')}" if shard else _WHOLE
    with ExitStack() as held:
        while True:
            with _locked(root / ".door", block=True):
                others = _holders(root)
                in_the_way = _in_the_way(own, others)
                if in_the_way is None:
                    held.enter_context(_locked(root / f"{own}.lock", block=True))
                    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
                    mine = Holder(run_id, os.getpid(), socket.gethostname(), since)
                    write_file(root / f"{own}.json", json.dumps(vars(mine)))
                    call_killed(home)
                    break
            if not wait:
                raise BatchUnderWay(
                    f"run {in_the_way.run_id} is under way on {home} (process {in_the_way.pid} on "
                    f"{in_the_way.host}, since {in_the_way.since}); let it end, or wait for it "
                    "with --wait"
                )
            time.sleep(_POLL_S)
        yield


def _in_the_way(own: str, others: Mapping[str, Holder]) -> Holder | None:
    """Return a holder that excludes this one: shards exclude only themselves."""
    excluding = [name for name in others if _WHOLE in (own, name) or name == own]
    return others[excluding[0]] if excluding else None


def _holders(root: Path) -> dict[str, Holder]:
    """Return who holds a lock now, by its name; whoever asks holds the door."""
    found = {}
    for path in sorted(root.glob("*.lock")):
        try:
            with _locked(path, block=False):
                continue
        except BlockingIOError:
            found[path.stem] = _read(path.with_suffix(".json"))
    return found


def _read(path: Path) -> Holder:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Holder("of an unknown name", 0, "an unknown machine", "an unknown time")


@contextmanager
def _locked(path: Path, *, block: bool) -> Iterator[IO[str]]:
    """Hold the lock of a file.

    Raises:
        BlockingIOError: somebody else has it, and this is not to wait.
    """
    with writing(path):
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
        yield file
