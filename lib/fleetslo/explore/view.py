"""What the widget of every explore notebook is: choices, a sentence, and panels that follow."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import ipywidgets as widgets
import polars as pl

from fleetslo.charts import words
from fleetslo.errors import FleetsloError, ParameterError
from fleetslo.explore.choices import Choices
from fleetslo.explore.live import Debounced
from fleetslo.explore.panel import ChartPanel, Panel, Shown, html, status
from fleetslo.explore.surroundings import Surroundings
from fleetslo.facts import reaches
from fleetslo.periods import Period

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

REMEMBERED = 8
"""Services whose rows a view keeps; going back to one is then immediate."""

Rows = TypeVar("Rows")


def remembering(load: Callable[..., Rows]) -> Callable[..., Rows]:
    """Return what loads the same, but keeps what it loaded last for those who go back to it."""
    return lru_cache(REMEMBERED)(load)


class View(Shown):
    """Something of the fleet that is drawn again when a choice changes.

    Args:
        fleet: where the data is.
        period: the period in question.
        services: those that can be chosen.
        controls: makes the choices, from what to call when one changed.

    Attributes:
        fleet: where the data is.
        period: the period in question.
        problem: why nothing is shown; None when all is well.
        controls: the choices.
        surroundings: the page that it stands on.
    """

    leading: ClassVar[Sequence[str]] = ("service",)
    """The choices that say what the others can be, in order."""
    tables: ClassVar[Sequence[str]]
    """The tables that are used."""

    def __init__(
        self,
        fleet: "Fleet",
        period: Period,
        services: Sequence[str],
        controls: Callable[[Callable[[object], None]], Choices],
    ) -> None:
        self.fleet = fleet
        self.period = period
        self.problem: str | None = None
        self.controls = controls(Debounced(self.update, announce=self._announce))
        self.controls.offer_services(services)
        self.status = html()
        self.surroundings = Surroundings()
        self.surroundings.observe(self._repaint, names="dark")

    def _lay_out(self, *shown: widgets.Widget) -> None:
        """Make the widget: choices, sentence, and what is shown below them."""
        self.widget = widgets.VBox(
            [self.surroundings, self.controls.widget, self.status, *shown],
            layout=widgets.Layout(width="100%", max_width="1180px"),
        )

    @abstractmethod
    def _panels(self) -> Sequence[Panel]:
        """Return every place where something is shown."""

    @abstractmethod
    def _load(self) -> None:
        """Fetch what is chosen, once, and offer what it has."""

    @abstractmethod
    def _draw(self) -> None:
        """Draw what is chosen."""

    @property
    def freshness(self) -> pl.DataFrame:
        """How far each table that was used reaches: ``table_name, complete_until``."""
        return reaches(self.fleet.query("fleet/freshness", period=self.period), self.tables)

    def begin(self, **choices: Any) -> Self:
        """Choose what is given, draw it for the first time, and return the view.

        None, an empty text and 0 mean what the view chooses by itself. A choice that cannot be is
        told in the widget, where another can be made.
        """
        wanted = {name: value for name, value in choices.items() if value not in ("", None, 0)}
        try:
            self.choose(**wanted)
        except ParameterError as error:
            self.tell(str(error))
        return self

    def choose(self, **choices: Any) -> Self:
        """Choose by name, redraw, and return the view.

        Those in ``leading`` are chosen first, so that the others can be what they have. None is
        all, where there is a choice of all.

        Raises:
            ParameterError: there is no such choice, or it cannot have that value.
        """
        for name in self.leading:
            if name in choices:
                self.controls.choose(name, choices.pop(name))
                if not self._done(self._load):
                    return self
        for name, value in choices.items():
            self.controls.choose(name, value)
        self.update()
        return self

    def update(self) -> None:
        """Load what is chosen and draw it; what goes wrong is told in the widget."""
        self._done(self._load, self._draw)

    def _done(self, *work: Callable[[], None]) -> bool:
        """Do some work and return whether it went well; if not, the widget says why."""
        try:
            for part in work:
                part()
        except FleetsloError as error:
            self.tell(str(error))
        except Exception as error:  # noqa: BLE001 -- a widget's traceback reaches no reader
            self.tell(f"This cannot be drawn: {type(error).__name__}: {error}")
        else:
            return True
        return False

    def _repaint(self, _change: object) -> None:
        for panel in self._panels():
            if isinstance(panel, ChartPanel):
                panel.paint(dark=self.surroundings.dark)

    def _announce(self) -> None:
        self.status.value = status("Loading …")

    def say(self, sentence: str) -> None:
        """Show what was found in the sentence above the panels."""
        self.problem = None
        self.status.value = status(sentence)

    def tell(self, sentence: str) -> None:
        """Show a sentence in place of the panels."""
        self.problem = sentence
        self.status.value = status(words.capital(sentence))
        for panel in self._panels():
            panel.clear()
