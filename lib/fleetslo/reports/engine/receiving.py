"""What a forked notebook says, taken into its document."""

import os
import sys
from typing import Any

from fleetslo.reports.engine.execution import Execution
from fleetslo.reports.engine.outputs import Outputs
from fleetslo.reports.engine.wire import Message, Messages, Text

_READ = 2**16
# Of text that is still in a pipe when everything is over; a pipe holds 64 KiB.
_LAST_READS = 64

# What a kernel says of itself.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": ".".join(map(str, sys.version_info[:3])),
}


def read(descriptor: int) -> bytes:
    """Return what can be read now from a pipe that does not block."""
    try:
        return os.read(descriptor, _READ)
    except BlockingIOError:
        return b""


class Receiver:
    """Takes what comes through three pipes, and keeps papermill's account of the cells.

    ``over`` is whether the notebook has reached its end, or has stopped at an error of a cell.
    """

    def __init__(
        self, nb_man: Any, execution: Execution, token: bytes, messages: int, out: int, err: int
    ) -> None:
        self.over = False
        self._nb_man = nb_man
        self._execution = execution
        self._messages = (messages, Messages())
        self._texts = {"stdout": (out, Text(token)), "stderr": (err, Text(token))}
        self._outputs = Outputs(execution.secrets.covered)
        self._number = 0
        self._next = 0
        nb_man.nb.metadata["language_info"] = LANGUAGE

    def take(self) -> None:
        """Take what is there now."""
        descriptor, messages = self._messages
        for message in messages.feed(read(descriptor)):
            self._take(message)
        for name, (descriptor, text) in self._texts.items():
            text.feed(read(descriptor))
            self._outputs.text(name, text.after(self._number))
        if self._execution.saving.due and self._execution.began is not None:
            self._execution.secrets.cover_outputs(self._nb_man.nb.cells[self._execution.began])
            self._execution.saving.keep(self._nb_man.nb)

    def take_rest(self) -> None:
        """Take all that is left when the process is gone."""
        descriptor, messages = self._messages
        while data := read(descriptor):
            for message in messages.feed(data):
                self._take(message)
        for name, (descriptor, text) in self._texts.items():
            for _ in range(_LAST_READS):
                if not (data := read(descriptor)):
                    break
                text.feed(data)
            self._outputs.text(name, text.after(self._number))
        self._outputs.end()

    def _take(self, message: Message) -> None:
        """Take a message, after the text that came before it."""
        for name, (descriptor, text) in self._texts.items():
            while text.newest < message.number and (data := read(descriptor)):
                text.feed(data)
            self._outputs.text(name, text.before(message.number))
        self._number = message.number
        content = message.content
        match message.kind:
            case "turn":
                pass
            case "begin":
                self._begin(content["index"], content["count"])
            case "end":
                self._end(content["failed"])
            case "over":
                self.over = True
                if content["complete"]:
                    self._pass(len(self._nb_man.nb.cells))
            case "broken":
                raise RuntimeError(content["says"])
            case kind:
                self._outputs.message(kind, content, message.length)

    def _begin(self, index: int, count: int) -> None:
        self._pass(index)
        cell = self._nb_man.nb.cells[index]
        self._next = index + 1
        self._nb_man.cell_start(cell, index)
        self._execution.cell_began(cell, index)
        cell.execution_count = count
        self._outputs.begin(cell)

    def _pass(self, until: int) -> None:
        """Go by the cells that are not run."""
        for index in range(self._next, until):
            cell = self._nb_man.nb.cells[index]
            self._nb_man.cell_start(cell, index)
            self._execution.cell_began(cell, index)
            self._nb_man.cell_complete(cell, cell_index=index)
        self._next = max(self._next, until)

    def _end(self, failed: bool) -> None:
        self._outputs.end()
        index = self._next - 1
        cell = self._nb_man.nb.cells[index]
        self._execution.secrets.cover_outputs(cell)
        if failed:
            self._nb_man.cell_exception(cell, cell_index=index)
        self._nb_man.cell_complete(cell, cell_index=index)
