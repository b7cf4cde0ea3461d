"""One chart in a widget: its finding, its figure, its numbers, or why there is none."""

from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go

from fleetslo.charts import lab, theme
from fleetslo.charts.blocks import Chart, Table


def html(inside: str = "") -> widgets.HTML:
    """Return a widget that shows HTML in the style of blocks."""
    return widgets.HTML(inside, layout=widgets.Layout(width="100%", margin="0"))


class Shown:
    """Something that is shown by a widget.

    Attributes:
        widget: the ipywidgets widget.
    """

    widget: widgets.Widget

    def text(self) -> str:
        """Return what it says where no widget can be shown."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return the widget for a front end, and words for everything else."""
        bundle: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**bundle, "text/plain": self.text()}


class ChartPanel(Shown):
    """A place for a chart that can be drawn again and again, in the same figure.

    Attributes:
        chart: the chart that is shown; None when there is none.
        figure: the Plotly figure, kept from chart to chart.
    """

    def __init__(self, height: int) -> None:
        self.chart: Chart | None = None
        self.figure = go.FigureWidget(theme.figure(height=height))
        self.figure._config = dict(theme.CONFIG)
        self._before, self._after = html(), html()
        self._parts = [self._before, self.figure, self._after]
        self.widget = widgets.VBox(
            self._parts,
            layout=widgets.Layout(width="100%", min_width="0", overflow="hidden"),
        )

    def text(self) -> str:
        """Return the chart's finding."""
        return self.chart.text() if self.chart else "There is no chart."

    def show(self, chart: Chart) -> None:
        """Draw a chart in place of the one that was there."""
        self.chart = chart
        self._before.value, self._after.value = lab.chart(chart.payload())
        _redraw(self.figure, chart.figure)
        self.figure.layout.height = chart.height or chart.figure.layout.height
        self.figure.layout.width = None
        self.widget.children = self._parts

    def clear(self) -> None:
        """Show nothing; the figure is kept for the next chart."""
        self.chart = None
        self.widget.children = []


class TablePanel(Shown):
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
    inside = lab.block({"block": "changes", "sentence": sentence})
    return f'<div role="status" aria-live="polite">{inside}</div>'


def _redraw(figure: go.FigureWidget, drawn: go.Figure) -> None:
    with figure.batch_update():
        figure.data = ()
        figure.add_traces(drawn.data)
        figure.layout = drawn.layout
