"""Everything that notebooks import, imported before the first one runs.

Nothing that is done here may make Polars or DuckDB work: their threads would not be there after a
fork, and whoever waits for one of them would wait for ever.
"""

import atexit
import gc
import os
import pkgutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import import_module

from fleetslo.errors import FleetsloError

# What notebooks of ours reach beside our own modules, many of them only when a cell runs.
_LIBRARIES = (
    "IPython.core.application",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.crashhandler",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "anywidget",
    "bdb",
    "duckdb",
    "ipywidgets",
    "narwhals._interchange.dataframe",
    "numpy",
    "plotly.graph_objects",
    "plotly.io",
    "plotly.offline",
    "plotly.subplots",
    "polars",
    "pyarrow.compute",
    "pyarrow.parquet",
    "scipy.special",
    "sqlglot",
    "yaml",
)
_OURS = ("charts", "explore", "reliability", "warehouse")
_OURS_ALONE = ("fleet", "once", "service", "squad", "overview", "published")


def import_nbformat() -> None:
    """Import nbformat without the part of jsonschema that checks international addresses.

    That part compiles a grammar at its import, which takes longer than all the rest together; a
    notebook has no such address, and jsonschema does without.
    """
    left_out = "rfc3987_syntax"
    if left_out in sys.modules:
        return
    sys.modules[left_out] = None  # type: ignore[assignment]
    try:
        import_module("nbformat")
    finally:
        del sys.modules[left_out]


@cache
def preload() -> None:
    """Import the libraries and our own modules.

    What is there then is kept out of the collector's sight: looking at it would copy the pages
    that a forked process shares with this one.
    """
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")  # read at the import
    for name in _LIBRARIES:
        import_module(name)
    for name in _OURS_ALONE:
        import_module(f"fleetslo.{name}")
    for name in _OURS:
        package = import_module(f"fleetslo.{name}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)
    _plotly()
    _freeze()
    atexit.register(gc.unfreeze)  # so that what is left at the end can be told from leaks


def _freeze() -> None:
    gc.collect()
    gc.freeze()


def _plotly() -> None:
    """Draw an empty chart of each kind, since Plotly imports its parts when they are used."""
    from plotly import graph_objects

    from fleetslo.charts import theme

    line = {"line": {"width": 1}}
    figure = graph_objects.Figure(
        [
            graph_objects.Bar(marker=line),
            graph_objects.Heatmap(),
            graph_objects.Scatter(marker=line, **line),
        ]
    )
    figure.update_layout(template=theme.template(), xaxis={"tickvals": []}, yaxis={"title": ""})
    figure.add_annotation(text="", font={"size": 1}).add_shape(type="rect", **line).add_vline(x=0)
    figure.to_json()


_read: set[str] = set()


def read_questions(names: Iterable[str]) -> None:
    """Read and translate these questions, unless it was done; one that is wrong is left to a cell.

    A question is kept by the time its files changed, so one that is edited is read again.
    """
    from fleetslo.warehouse.contracts import read_contracts
    from fleetslo.warehouse.queries import for_duckdb, read_query

    new = set(names) - _read
    for name in new:
        with suppress(FleetsloError):
            read_contracts()
            for_duckdb(read_query(name))
    if new:
        _read.update(new)
        _freeze()
