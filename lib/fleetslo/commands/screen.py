"""What commands share on the screen: tables, progress, complaints."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from fleetslo.reports.jobs import BatchProgress, Job, Result

Progress = Callable[[str, int, int], None]

_EVERY_S = 10.0
"""How often a line says how far work has come, where no bar can be drawn."""
_MOST_ALIKE = 3
"""Reports that fail for the same reason and are told of as they do; the end names the number."""


def complain(message: str) -> None:
    """Print an error to standard error, in one paragraph that starts with the tool's name."""
    typer.echo(f"fleetslo: {message}", err=True)


def say(message: str = "") -> None:
    """Print a line to standard output."""
    typer.echo(message)


@contextmanager
def progress() -> Iterator[Progress]:
    """Give a callback ``(what, done, total)`` that draws a bar, or plain lines off a terminal.

    The bar goes to standard error, so that a pipe gets the answer alone.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


@contextmanager
def batch_progress() -> Iterator["BatchProgress"]:
    """Give a watcher of a batch that draws a bar of reports."""
    with progress() as show:
        yield _Watch(show)


class _Watch:
    """Turns what a batch tells into bars; failures are printed as they happen."""

    def __init__(self, show: Progress) -> None:
        self._show = show
        self._total = 0
        self._done = 0
        self._failed: Counter[str] = Counter()

    def planned(self, jobs: "Sequence[Job]") -> None:
        self._total, self._done = len(jobs), 0
        self._show("running reports", 0, self._total)

    def started(self, job: "Job") -> None:
        pass

    def cell(self, job: "Job", cell: int, cells: int) -> None:
        if self._total == 1:
            self._show(f"running {job.page}", cell, cells)

    def finished(self, job: "Job", result: "Result") -> None:
        if result.outcome != "ok" and self._total > 1:
            says = str(result.failure or result.outcome)
            self._failed[says] += 1
            if self._failed[says] <= _MOST_ALIKE:
                complain(f"{job.page}: {says}")
        self._done = min(self._done + 1, self._total)
        self._show("running reports", self._done, self._total)

    def stage(self, what: str, done: int, total: int) -> None:
        self._show(what, done, total)


def _plain() -> Progress:
    finished: set[str] = set()
    last = time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        is_done, now = done >= total, time.monotonic()
        if what not in finished and (is_done or now - last >= _EVERY_S):
            last = now
            if is_done:
                finished.add(what)
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)  # noqa: T201

    return show


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], numeric: int = 0) -> None:
    """Print rows as a table; the last ``numeric`` columns are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 200)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        right = place >= len(columns) - numeric
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("–" if cell is None else str(cell)) for cell in row))
    console.print(drawn)


def frame_table(frame: "pl.DataFrame", limit: int = 50) -> None:
    """Print a frame as a table, at most ``limit`` rows of it, and say how many there are."""
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in zip(frame.columns, numeric, strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in frame.head(limit).iter_rows():
        drawn.add_row(*(Text(_cell(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else 200).print(drawn)
    if frame.height > limit:
        say(f"{limit} of {frame.height:,} rows; --format csv, parquet or json gives all of them")
    else:
        say(f"{frame.height:,} rows")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"{len(value)} buckets"
    return str(value)


def bytes_text(size: int) -> str:
    """Return a size as "12.3 MB"."""
    from fleetslo.charts.words import THIN, volume

    return volume(size).replace(THIN, " ")


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Return ``name=value`` arguments as a dictionary.

    Raises:
        UsageError: one of them has no equals sign, or a name is given twice.
    """
    from fleetslo.errors import UsageError

    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {text!r} has no value; write -p name=value")
        if name in found:
            raise UsageError(f"-p {name} is given twice; give it once")
        found[name] = value
    return found
