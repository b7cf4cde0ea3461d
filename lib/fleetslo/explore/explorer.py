"""What every explorer is: choices, a sentence that says what is shown, and panels that follow."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import polars as pl

from fleetslo.charts import words
from fleetslo.errors import FleetsloError, NoData, ParameterError, nearest
from fleetslo.explore.comparison import (
    Comparison,
    around,
    between_versions,
    reach,
    with_period_before,
)
from fleetslo.explore.controls import Controls
from fleetslo.explore.live import Debounced
from fleetslo.explore.panel import ChartPanel, Shown, TablePanel, html, status
from fleetslo.explore.surroundings import Surroundings
from fleetslo.periods import Period

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet


class Explorer(Shown):
    """One service looked at in two stretches of time, drawn again when a choice changes.

    Args:
        fleet: where the data is.
        period: the period in question.
        services: those that can be chosen.
        controls: makes the choices, from what to call when one changed.

    Attributes:
        fleet: where the data is.
        period: the period in question.
        comparison: both sides, their labels and periods; None when there is nothing to compare.
        problem: why nothing is shown; None when all is well.
        controls: the choices.
        surroundings: the page that it stands on.
    """

    controls: Controls

    def __init__(
        self,
        fleet: "Fleet",
        period: Period,
        services: Sequence[str],
        controls: Callable[[Callable[[object], None]], Controls],
    ) -> None:
        self.fleet = fleet
        self.period = period
        self.comparison: Comparison | None = None
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
    def _panels(self) -> Sequence[ChartPanel | TablePanel]:
        """Return every place where something is drawn."""

    @abstractmethod
    def _load(self) -> None:
        """Fetch what is chosen, once, and offer what it has."""

    @abstractmethod
    def _draw(self) -> None:
        """Draw what is chosen."""

    def choose(self, **choices: Any) -> "Explorer":
        """Choose by name, redraw, and return the view.

        ``service`` is chosen first, so that the others can be what it has. None is all.

        Raises:
            ParameterError: there is no such choice, or it cannot have that value.
        """
        if "service" in choices:
            self._set("service", choices.pop("service"))
            if not self._done(self._load):
                return self
        for name, value in choices.items():
            self._set(name, value)
        self.update()
        return self

    def _set(self, name: str, value: object) -> None:
        if name not in self.controls.names:
            raise ParameterError(
                f"there is no choice {name!r}.{nearest(name, self.controls.names)} "
                f"There are {words.listed(self.controls.names, most=20)}"
            )
        known = self.controls.values_of(name)
        if known is not None and value not in known:
            words_known = [str(one) for one in known if one is not None]
            raise ParameterError(
                f"{name} cannot be {value!r}.{nearest(str(value), words_known)} "
                f"It is one of {words.listed(words_known, most=8)}"
            )
        self.controls.choose(**{name: value})

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

    def say(self, sentence: str, found: Comparison) -> None:
        """Show what was found in the sentence above the charts."""
        self.comparison, self.problem = found, None
        self.status.value = status(sentence)

    def tell(self, sentence: str) -> None:
        """Show a sentence in place of the charts."""
        self.comparison, self.problem = None, sentence
        self.status.value = status(words.capital(sentence))
        for panel in self._panels():
            panel.clear()

    def _compare(self, hours: pl.DataFrame) -> Comparison:
        """Return the two sides of the selected hours, as the chosen way has them."""
        controls, selection = self.controls, self.controls.selection
        if hours.is_empty():
            raise NoData(f"{selection}: nothing was recorded in {reach(self.period).label}")
        match controls.way.value:
            case "versions":
                return between_versions(hours, self.period, controls.old.value, controls.new.value)
            case "deployment":
                if controls.deployment is None:
                    raise NoData(f"{selection.service} deployed nothing in {self.period.label}")
                return around(hours, self.period, *controls.deployment)
            case _:
                return with_period_before(hours, self.period)


def busiest_service(seen: pl.DataFrame) -> str:
    """Return the service with most requests of ``fleet/seen``; empty when there is none."""
    busy = seen.sort("request_count", "service", descending=[True, False])
    return str(busy["service"][0]) if busy.height else ""
