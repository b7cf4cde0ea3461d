"""A cell's outputs put together from messages and text, as a notebook client does.

What one cell may put into a document is bounded, so that a cell that prints without end costs
neither memory nor a page that nobody can open. What is left out is said in the cell.
"""

from collections.abc import Callable
from typing import Any

from nbformat import NotebookNode

# Of text in one cell; a person reads less than this.
TEXT_MAX = 2**20
# Of figures, tables and pictures in one cell, in bytes.
DATA_MAX = 64 * 2**20
OUTPUTS_MAX = 1000

_KINDS = {"display_data", "update_display_data", "execute_result", "error", "clear_output"}


class Outputs:
    """The outputs of all cells of a notebook; ``covered`` covers the secrets in a message."""

    def __init__(self, covered: Callable[[Any], Any]) -> None:
        self._covered = covered
        self._shown: dict[str, list[Any]] = {}
        self._cell: Any = None
        self._start()

    def _start(self) -> None:
        self._text = self._data = 0
        self._cut_text = self._cut_data = 0
        self._clear_next = False

    def begin(self, cell: Any) -> None:
        """Let what follows belong to a cell."""
        self._cell = cell
        self._start()

    def end(self) -> None:
        """Say in the cell what has been left out of it."""
        cut = []
        if self._cut_text:
            cut.append(f"{self._cut_text:,} characters of text")
        if self._cut_data:
            cut.append(f"{self._cut_data:,} more outputs")
        if cut and self._cell is not None:
            self._add_text("stderr", f"\n[left out of this cell: {' and '.join(cut)}]\n")
        self._cut_text = self._cut_data = 0

    def text(self, name: str, text: str) -> None:
        """Add text to a stream."""
        if not text or self._cell is None:
            return
        self._clear()
        kept = text[: max(TEXT_MAX - self._text, 0)]
        self._text += len(kept)
        self._cut_text += len(text) - len(kept)
        if kept:
            self._add_text(name, kept)

    def _add_text(self, name: str, text: str) -> None:
        outputs = self._cell.outputs
        if outputs and outputs[-1].output_type == "stream" and outputs[-1].name == name:
            outputs[-1].text += text
        else:
            outputs.append(node({"output_type": "stream", "name": name, "text": text}))

    def message(self, kind: str, content: dict[str, Any], length: int) -> None:
        """Take a message of Jupyter's: display_data, execute_result, error and the like.

        ``length`` is how many bytes it has.
        """
        if self._cell is None or kind not in _KINDS:
            return
        if kind == "clear_output":
            self._clear_next = True
            if not content["wait"]:
                self._clear()
            return
        content = self._covered(content)
        display_id = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data":
            for shown in self._shown.get(display_id or "", ()):
                shown.data = node(content["data"])
                shown.metadata = node(content["metadata"])
            return
        self._clear()
        self._data += length
        if kind != "error" and (self._data > DATA_MAX or len(self._cell.outputs) >= OUTPUTS_MAX):
            self._cut_data += 1
            return
        kept = {name: value for name, value in content.items() if name != "transient"}
        output = node({"output_type": kind, **kept})
        self._cell.outputs.append(output)
        if display_id:
            self._shown.setdefault(display_id, []).append(output)

    def _clear(self) -> None:
        if self._clear_next:
            self._cell.outputs = []
            self._start()


def merge_streams(cell: Any) -> None:
    """Join text of one stream that stands in neighbouring outputs of a cell."""
    merged: list[Any] = []
    for output in cell.get("outputs", ()):
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    if "outputs" in cell:
        cell.outputs = merged


def node(value: Any) -> Any:
    """Return plain data as the parts of a notebook."""
    if isinstance(value, dict):
        making: Any = NotebookNode
        return making({name: node(one) for name, one in value.items()})
    return [node(one) for one in value] if isinstance(value, list) else value
