"""What a terminal shows while BigQuery works on a question, and what it cost then."""

import sys
import time

import typer
from rich.console import Console

from fleetslo.charts import words
from fleetslo.explore.asking import Tally
from fleetslo.warehouse.watching import Asked

_QUIET_S = 2.0
"""A question that takes no longer shows only what it cost."""


class TerminalWatcher:
    """Shows a line on standard error while a question takes long; ``close`` sums them up.

    Args:
        price_per_tib: US dollars for a TiB that is billed.
    """

    def __init__(self, price_per_tib: float) -> None:
        self._tally = Tally(price_per_tib)
        self._status = Console(stderr=True).status("")
        self._began = 0.0

    def estimated(self, name: str, byte_count: int) -> None:
        """Begin to count the time."""
        self._began = time.monotonic()

    def may_exceed(self, name: str, byte_count: int, limit: int) -> bool:
        """Ask whoever sits at the terminal; no in a pipe or a schedule."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return typer.confirm(self._tally.over(name, byte_count, limit), err=True)

    def running(self, name: str, seconds: float, done: float | None) -> None:
        """Show how far a job is."""
        self._show(self._tally.running(name, seconds, done))

    def reading(self, name: str, row_count: int, total: int) -> None:
        """Show how many rows have arrived."""
        self._show(f"{name}: {row_count:,} of {total:,} rows read")

    def answered(self, asked: Asked) -> None:
        """Count what it cost."""
        self._status.stop()
        self._tally.add(asked)

    def failed(self, name: str) -> None:
        """Clear the line for the error."""
        self._status.stop()

    def close(self) -> None:
        """Say what all questions cost together, where any was answered."""
        self._status.stop()
        said = self._tally.sentence()
        if said:
            typer.echo(said.replace(words.THIN, " "), err=True)

    def _show(self, text: str) -> None:
        if time.monotonic() - self._began > _QUIET_S:
            self._status.update(text)
            self._status.start()
