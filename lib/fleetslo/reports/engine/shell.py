"""IPython as a kernel has it, with a pipe where the kernel has its sockets."""

import os
import sys
from types import SimpleNamespace
from typing import Any

from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.async_helpers import _asyncio_runner
from jupyter_client.session import Session
from traitlets import Type
from traitlets.config import Config

from fleetslo.reports.engine.wire import Wire


class PipeSession(Session):
    """Sends what a kernel would send to its clients."""

    wire: Wire | None = None

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any) -> None:
        """Send a message, or one made of a type and a content."""
        if isinstance(msg_or_type, dict):
            msg_or_type, content = msg_or_type["msg_type"], msg_or_type["content"]
        if self.wire is not None:
            self.wire.send(msg_or_type, content)


class Shell(ZMQInteractiveShell):
    """A kernel's shell. Libraries know by its class that they are in a notebook."""

    compiler_class = Type(XCachingCompiler)

    async def run_source(self, source: str) -> bool:
        """Run a cell and return whether nothing in it raised; see ipykernel's do_execute."""
        shell: Any = self  # IPython is typed in part
        self._last_traceback = None
        self._last_traceback_during_displayhook = False
        failure = None
        try:
            transformed = shell.transform_cell(source)
        except Exception:  # noqa: BLE001 - run_cell shows it
            transformed, failure = source, sys.exc_info()
        if self.loop_runner is _asyncio_runner and self.should_run_async(
            source, transformed_cell=transformed, preprocessing_exc_tuple=failure
        ):
            result = None
            try:
                result = await self.run_cell_async(
                    source,
                    store_history=True,
                    transformed_cell=transformed,
                    preprocessing_exc_tuple=failure,
                )
            finally:
                self.events.trigger("post_execute")
                self.events.trigger("post_run_cell", result)
        else:
            result = shell.run_cell(source, store_history=True)
        shell.payload_manager.clear_payload()
        return bool(result.success) and not self._last_traceback_during_displayhook


# rich and others look for the name.
Shell.__name__ = ZMQInteractiveShell.__name__


def new_shell(wire: Wire) -> Shell:
    """Return the shell of this process, which sends what cells show over a wire."""
    config = Config()
    config.HistoryManager.enabled = False  # it would write a database from a thread
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    shell: Any = Shell.instance(
        config=config, kernel=SimpleNamespace(eventloop=None, shell=None), user_ns=None
    )
    session = PipeSession(key=b"")
    session.wire = wire
    shell.displayhook.session = shell.display_pub.session = session
    made: Shell = shell
    return made
