"""One chart in a widget: its finding, its figure, its numbers, or why there is none."""

import json
from abc import ABC, abstractmethod
from typing import Any

import ipywidgets as widgets

from fleetslo.charts import lab, theme
from fleetslo.charts.blocks import PLOTLY_MIMETYPE, Changes, Chart, Table
from fleetslo.explore.surroundings import in_colours

# JupyterLab resizes figures itself; when Plotly does so as well, the two lose the height.
_CONFIG = {**theme.CONFIG, "responsive": False}


def html(inside: str = "") -> widgets.HTML:
    """Return a widget that shows HTML in the style of blocks."""
    return widgets.HTML(inside, layout=widgets.Layout(width="100%", margin="0"))


class Shown(ABC):
    """Something that is shown by a widget.

    Attributes:
        widget: the ipywidgets widget.
    """

    widget: widgets.Widget

    @abstractmethod
    def text(self) -> str:
        """Return what it says where no widget can be shown."""

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return the widget for a front end, and words for everything else."""
        bundle: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**bundle, "text/plain": self.text()}


class Panel(Shown):
    """A place where something is shown, and later something else or nothing."""

    @abstractmethod
    def clear(self) -> None:
        """Show nothing."""


class ChartPanel(Panel):
    """A place for a chart that can be drawn again and again.

    JupyterLab draws the figure itself, from an output that is replaced. (A ``FigureWidget`` would
    send 5 MB of plotly.js for every chart, and loses what is changed before that has arrived.)

    Attributes:
        chart: the chart that is shown; None when there is none.
        figure: the output that holds the figure.
    """

    def __init__(self, height: int) -> None:
        self.chart: Chart | None = None
        self._dark = False
        self._before, self._after = html(), html()
        place = widgets.Layout(width="100%", min_height=f"{height}px", overflow="hidden")
        self.figure = widgets.Output(layout=place)
        self.widget = widgets.VBox(
            [self._before, self.figure, self._after],
            layout=widgets.Layout(width="100%", min_width="0", overflow="hidden"),
        )

    def text(self) -> str:
        """Return the chart's finding."""
        return self.chart.text() if self.chart else "There is no chart."

    def show(self, chart: Chart) -> None:
        """Draw a chart in place of the one that was there."""
        self.chart = chart
        self._before.value, self._after.value = lab.chart(chart.payload())
        self.paint(dark=self._dark)
        self.widget.layout.display = None

    def paint(self, *, dark: bool) -> None:
        """Draw the chart's figure in light or dark colours."""
        self._dark = dark
        if self.chart is None:
            return
        drawn = json.loads(in_colours(self.chart.figure, dark=dark).to_json())
        data = {PLOTLY_MIMETYPE: {**drawn, "config": _CONFIG}, "text/plain": self.chart.title}
        self.figure.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    def clear(self) -> None:
        """Show nothing."""
        self.chart = None
        self.figure.outputs = ()
        self.widget.layout.display = "none"


class TablePanel(Panel):
    """A place for a table that can be filled again and again.

    Attributes:
        table: the table that is shown; None when there is none.
    """

    def __init__(self) -> None:
        self.table: Table | None = None
        self._inside = html()
        self.widget = widgets.VBox([self._inside], layout=widgets.Layout(width="100%"))

    def text(self) -> str:
        """Return the table's finding."""
        return self.table.text() if self.table else "There is no table."

    def show(self, table: Table) -> None:
        """Show a table in place of the one that was there."""
        self.table = table
        self._inside.value = lab.block(table.payload())

    def clear(self) -> None:
        """Show nothing."""
        self.table = None
        self._inside.value = ""


def status(sentence: str) -> str:
    """Return a sentence as HTML that a screen reader says when it changes."""
    inside = lab.block(Changes(sentence).payload())
    return f'<div role="status" aria-live="polite">{inside}</div>'
