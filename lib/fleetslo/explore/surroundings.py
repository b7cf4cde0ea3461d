"""The page that widgets stand on: figures take its dark colours when it is dark."""

from pathlib import Path
from typing import Any

import anywidget
import plotly.graph_objects as go
import traitlets

from fleetslo.charts import theme


class Surroundings(anywidget.AnyWidget):
    """An unseen widget that knows the page's theme.

    Attributes:
        dark: whether JupyterLab shows a dark theme; False without a front end.
    """

    _esm = Path(__file__).parent / "surroundings.js"
    dark = traitlets.Bool(default_value=False).tag(sync=True)


def in_colours(figure: go.Figure, *, dark: bool) -> go.Figure:
    """Return a figure in the light colours it was made with, or in their dark twins."""
    if not dark:
        return figure
    return go.Figure(_darkened(figure.to_plotly_json()))


def _darkened(part: Any) -> Any:
    if isinstance(part, str):
        return theme.COLOURS.get(part, part)
    if isinstance(part, dict):
        return {key: _darkened(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_darkened(value) for value in part]
    return part
