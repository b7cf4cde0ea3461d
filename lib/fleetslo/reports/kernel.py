"""A papermill engine that runs a notebook in a kernel of this very interpreter."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine

from fleetslo.reports.engine.execution import Execution, Running
from fleetslo.reports.engine.outcomes import ended
from fleetslo.reports.engine.parameters import stored

# A kernel that has not answered by then is broken; under load a start takes about 2 s.
START_TIMEOUT_S = 60
# Outputs may trail behind the cell that made them; the usual 4 s is short on a busy machine.
OUTPUT_TIMEOUT_S = 60
# Of the 104 bytes that macOS allows for a socket file's name (Linux: 108), less the "-1" to "-5"
# that tell the sockets of a kernel apart, and the final zero.
SOCKET_MAX = 100


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever kernels are installed, spoken to over a socket file.

    Ports would be chosen by each worker for itself, and two could choose the same. They are used
    all the same where the temporary folder's name is too long for a socket file.
    """

    def __init__(self, folder: Path, running: Running) -> None:
        socket = str(folder / "socket")
        short = len(os.fsencode(socket)) <= SOCKET_MAX
        super().__init__(
            connection_file=str(folder / "kernel.json"),
            **({"transport": "ipc", "ip": socket} if short else {}),
        )
        self.exit_code: int | None = None
        self._running = running

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel to start: this interpreter's."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        with self._running.lock:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            self._running.started(getattr(self.provisioner, "pid", 0))

    async def _async_is_alive(self) -> bool:
        process = getattr(self.provisioner, "process", None)
        alive: bool = await super()._async_is_alive()
        if not alive and process is not None:
            self.exit_code = process.poll()
        return alive

    is_alive = _async_is_alive


class KernelEngine(Engine):  # type: ignore[misc]
    """papermill's engine for the ordinary kernel, with a limit on the whole notebook."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution: Execution, **kwargs: Any
    ) -> Any:
        """Run the cells; the document lies in ``execution`` even when this raises."""
        execution.notebook = nb_man.nb
        told = nb_man.nb.metadata.papermill
        told.parameters = stored(told.get("parameters", {}))
        with tempfile.TemporaryDirectory(prefix="fleetslo-", ignore_cleanup_errors=True) as folder:
            kernel = OwnKernel(Path(folder), execution.running)
            client = PapermillNotebookClient(
                nb_man,
                km=kernel,
                kernel_name=kernel_name,
                startup_timeout=START_TIMEOUT_S,
                iopub_timeout=OUTPUT_TIMEOUT_S,
                timeout_func=execution.left_s,
                on_cell_start=execution.cell_began,
                shutdown_kernel="immediate",
            )
            try:
                return client.execute(
                    env=dict(execution.secrets.environ),
                    cwd=str(execution.folder),
                    cleanup_kc=True,
                )
            except CellTimeoutError:
                execution.ending = execution.timed_out()
                return nb_man.nb
            except DeadKernelError:
                if kernel.exit_code is None:
                    raise
                execution.ending = ended(kernel.exit_code)
                return nb_man.nb
            finally:
                execution.running.kill()
