"""The choice of slo_tuning as a document: shown, and written to a file when asked."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from html import escape
from pathlib import Path

import ipywidgets as widgets

from fleetslo.errors import FleetsloError, OutputError
from fleetslo.explore.panel import Panel, html
from fleetslo.files import write_file
from fleetslo.reliability.objectives import Objective


def with_choice(objective: Objective, target: float, within_s: float | None) -> Objective:
    """Return an objective with another target, and where it has one, another threshold."""
    threshold = objective.selector.within_s if within_s is None else within_s
    selector = replace(objective.selector, within_s=threshold)
    return replace(objective, target=target, selector=selector)


def in_place(objectives: Iterable[Objective], changed: Objective) -> Objective:
    """Return the objective to write: the changed one, or the composite that it is a part of."""
    for one in objectives:
        if any(part.name == changed.name for part in one.members):
            parts = (changed if part.name == changed.name else part for part in one.members)
            return replace(one, members=tuple(parts))
    return changed


def save_document(path: Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a document to a file and return its path.

    Raises:
        OutputError: there is a file already and ``overwrite`` is not set, or it cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path}: there is a file already; choose another name, or let it be replaced "
            "(overwrite=True)"
        )
    return write_file(path, text)


class DocumentPanel(Panel):
    """A place for a document: its text, and what writes it to a file.

    Args:
        save: writes the document that is shown to a path; told whether it may replace a file.

    Attributes:
        document: what is shown; empty when there is none.
        path: where it is to be written.
        replaces: whether it may replace a file.
        button: writes it.
    """

    def __init__(self, save: Callable[[Path, bool], Path]) -> None:
        self.document = ""
        self._save = save
        self._inside, self._told = html(), html()
        wide = {"description_width": "initial"}
        self.path = widgets.Text(
            description="File", style=wide, layout=widgets.Layout(width="40em", max_width="100%")
        )
        self.replaces = widgets.Checkbox(
            description="replace a file that is there",
            indent=False,
            layout=widgets.Layout(width="16em"),
        )
        self.button = widgets.Button(description="Save the document")
        self.button.on_click(self._saved)
        row = widgets.Layout(flex_flow="row wrap", width="100%", grid_gap="4px 18px")
        self.widget = widgets.VBox(
            [
                self._inside,
                widgets.Box([self.path, self.replaces, self.button], layout=row),
                self._told,
            ],
            layout=widgets.Layout(width="100%"),
        )

    def text(self) -> str:
        """Return the document."""
        return self.document or "There is no document."

    def show(self, document: str, path: Path, heading: str, says: str) -> None:
        """Show a document, to be written to a path; ``says`` is what it stands in for."""
        self.document = document
        self.path.value = str(path)
        self._inside.value = (
            f"<p><strong>{escape(heading)}</strong><br>{escape(says)}</p>"
            f'<pre style="line-height:1.35;overflow-x:auto">{escape(document)}</pre>'
        )
        self._tell("")
        self.widget.layout.display = None

    def clear(self) -> None:
        """Show nothing."""
        self.document = ""
        self.widget.layout.display = "none"

    def _saved(self, _button: object) -> None:
        try:
            written = self._save(Path(self.path.value), self.replaces.value)
        except FleetsloError as error:
            self._tell(str(error))
        else:
            self._tell(f"Written to {written}.")

    def _tell(self, sentence: str) -> None:
        self._told.value = f'<div role="status" aria-live="polite">{escape(sentence)}</div>'
