"""What a cell asked of BigQuery: one line under it that follows the questions, then sums them."""

import html
import sys
import time
from typing import Any

from fleetslo.charts import words
from fleetslo.warehouse.watching import Asked

_TIB = 1024**4
_GIB = 1024**3
_PAUSE_S = 0.2
"""The line changes no more often than this; a reader sees no more, and a browser is spared."""


class Tally:
    """What several questions cost together.

    Args:
        price_per_tib: US dollars for a TiB that is billed.
    """

    def __init__(self, price_per_tib: float) -> None:
        self.price_per_tib = price_per_tib
        self.answers: list[Asked] = []

    def add(self, asked: Asked) -> None:
        """Count one more answer."""
        self.answers.append(asked)

    def price(self, byte_count: float) -> str:
        """Return what bytes cost on demand: "$0.0063"."""
        return f"${byte_count / _TIB * self.price_per_tib:,.4f}"

    def sentence(self) -> str:
        """Return what was asked, read, billed and answered by the cache; "" before any answer."""
        if not self.answers:
            return ""
        cached = sum(one.cache_hit for one in self.answers)
        billed = sum(one.bytes_billed for one in self.answers)
        several = len(self.answers) > 1
        if cached and not several:
            cost = "answered by BigQuery's cache, which costs nothing"
        else:
            read = sum(one.bytes_processed for one in self.answers)
            cost = f"{words.volume(read)} read, {self.price(billed)} on demand"
            if cached:
                cost += f", {cached} answered by the cache"
        what = words.plural(len(self.answers), "question") if several else self.answers[0].name
        rows = words.plural(sum(one.row_count for one in self.answers), "row")
        seconds = words.duration(sum(one.seconds for one in self.answers))
        return f"{what}: {rows} in {seconds}; {cost}"

    def running(self, name: str, seconds: float, done: float | None) -> str:
        """Return how far a job is."""
        share = f", {words.share(done)} of the work known so far" if done is not None else ""
        return f"{name}: BigQuery has worked for {words.duration(seconds)}{share}"

    def over(self, name: str, byte_count: int, limit: int) -> str:
        """Return what is asked of a person before a question that reads more than the limit."""
        return (
            f"{name} would read {byte_count / _GIB:.1f} GiB, {self.price(byte_count)} on demand; "
            f"the limit is {limit / _GIB:.1f} GiB. Ask it all the same?"
        )


class CellWatcher:
    """Shows one line under the cell that asks, and asks the person about what is too much.

    Where nobody can be asked (papermill, a batch, a widget's callback) it shows nothing, so that
    no report carries it, and allows nothing.
    """

    def __init__(self, price_per_tib: float) -> None:
        self._cell = ""
        self._tally = Tally(price_per_tib)
        self._shown_at = 0.0

    def estimated(self, name: str, byte_count: int) -> None:
        """Show what a question would read."""
        self._show(f"{name}: reads at most {words.volume(byte_count)}, "
                   f"{self._tally.price(byte_count)} on demand")  # fmt: skip

    def may_exceed(self, name: str, byte_count: int, limit: int) -> bool:
        """Ask the person; no when there is none."""
        if not _asking_cell():
            return False
        answer = input(f"{self._tally.over(name, byte_count, limit)} [y/N] ")
        return answer.strip().lower() in ("y", "yes")

    def running(self, name: str, seconds: float, done: float | None) -> None:
        """Show how far a job is."""
        self._show(self._tally.running(name, seconds, done))

    def reading(self, name: str, row_count: int, total: int) -> None:
        """Show how many rows have arrived."""
        self._show(f"{name}: {row_count:,} of {total:,} rows read")

    def answered(self, asked: Asked) -> None:
        """Show what the cell's questions cost together."""
        self._tally.add(asked)
        self._show(self._tally.sentence(), now=True)

    def failed(self, name: str) -> None:
        """Show that there is no answer; why not, the error says."""
        self._show(f"{name}: no answer", now=True)

    def _show(self, text: str, *, now: bool = False) -> None:
        began = self._begin()
        if not self._cell or not (began or now or time.monotonic() > self._shown_at + _PAUSE_S):
            return
        self._shown_at = time.monotonic()
        _publish(text, f"fleetslo-{self._cell}", update=not began)

    def _begin(self) -> bool:
        """Count anew where another cell asks; return whether it has no line yet."""
        cell = _asking_cell()
        if cell == self._cell:
            return False
        self._cell, self._tally = cell, Tally(self._tally.price_per_tib)
        return bool(cell)


def _asking_cell() -> str:
    """Return the name of the request that a person's cell makes; "" where no person is asked."""
    if "ipykernel" not in sys.modules:
        return ""
    from IPython.core.getipython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return ""
    request = kernel.get_parent("shell") or {}
    if not request.get("content", {}).get("allow_stdin"):
        return ""
    return str(request["header"]["msg_id"])


def _publish(text: str, name: str, *, update: bool) -> None:
    from IPython.display import publish_display_data

    data = {
        "text/plain": text,
        "text/html": f'<div role="status" style="opacity: 0.8">{html.escape(text)}</div>',
    }
    publish_display_data(  # type: ignore[no-untyped-call]
        data, transient={"display_id": name}, update=update
    )
