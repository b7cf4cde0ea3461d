"""The forked process: it becomes the notebook, runs the cells, says what they show, and ends."""

import asyncio
import atexit
import builtins
import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from IPython.core.error import StdinNotImplementedError

from fleetslo.reports.engine.limits import Limits, bound_memory
from fleetslo.reports.engine.shell import Shell, new_shell
from fleetslo.reports.engine.wire import Stream, Wire

Cell = tuple[int, str, bool]
"""Its index, its source, and whether it may raise."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_COLLECTED = (50_000, 20, 50)
"""How seldom cycles are looked for: charts make many objects, and a notebook soon ends."""
_LIBC = ctypes.CDLL(None)


def adopt_orphans() -> None:
    """Let what a notebook leaves behind become a child of this process, not of the system's."""
    with suppress(AttributeError):  # Linux has it
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def be_notebook(
    cells: Sequence[Cell],
    token: bytes,
    pipes: Sequence[int],
    *,
    close: Sequence[int],
    environ: Mapping[str, str],
    folder: Path,
    limits: Limits,
) -> NoReturn:
    """Run the cells in this process, which is a fork, and end it; nothing is ever returned.

    ``pipes`` are those of messages, stdout and stderr.
    """
    code = 1
    try:
        for descriptor in close:
            os.close(descriptor)
        wire = _own(token, pipes, environ, folder, limits)
        try:
            asyncio.run(_run(new_shell(wire), cells, wire))
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the one who waits is told
            wire.send("broken", {"says": traceback.format_exc()})
        atexit._run_exitfuncs()
    finally:
        os._exit(code)


def _own(
    token: bytes, pipes: Sequence[int], environ: Mapping[str, str], folder: Path, limits: Limits
) -> Wire:
    """Give this process a group, streams, an environment and bounds of its own."""
    os.setpgid(0, 0)
    with suppress(AttributeError):  # Linux has it
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    messages, out, err = pipes
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    wire = Wire(messages, token)
    sys.stdout = sys.__stdout__ = Stream("stdout", 1, wire)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = Stream("stderr", 2, wire)  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(folder)
    sys.path.insert(0, "")
    builtins.input = _no_input
    bound_memory(limits)
    gc.enable()
    gc.set_threshold(*_COLLECTED)
    return wire


def _no_input(prompt: object = "") -> str:
    raise StdinNotImplementedError("input was asked for, and nobody is there to give it")


async def _run(shell: Shell, cells: Sequence[Cell], wire: Wire) -> None:
    """Run the cells as a kernel does: inside a loop, to which a cell may leave tasks."""
    for index, source, may_raise in cells:
        wire.send("begin", {"index": index, "count": shell.execution_count})
        good = await shell.run_source(source)
        sys.stdout.flush()
        sys.stderr.flush()
        wire.send("end", {"failed": not good})
        if shell.exit_now or not (good or may_raise):
            wire.send("over", {"complete": False})
            return
        await asyncio.sleep(0)
    wire.send("over", {"complete": True})
