"""What an explorer is that compares: a view of one service in two stretches of time."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.errors import NoData
from fleetslo.explore.comparison import (
    Comparison,
    Selection,
    around,
    between_versions,
    reach,
    with_period_before,
)
from fleetslo.explore.controls import Controls
from fleetslo.explore.view import View
from fleetslo.periods import Period

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet


class Explorer(View):
    """One service looked at in two stretches of time, drawn again when a choice changes.

    Arguments and attributes as of ``View``.

    Attributes:
        comparison: both sides, their labels and periods; None when there is nothing to compare.
    """

    controls: Controls

    def __init__(
        self,
        fleet: "Fleet",
        period: Period,
        services: Sequence[str],
        controls: Callable[[Callable[[object], None]], Controls],
    ) -> None:
        self.comparison: Comparison | None = None
        super().__init__(fleet, period, services, controls)

    @property
    @abstractmethod
    def selection(self) -> Selection:
        """What is looked at now."""

    def text(self) -> str:
        """Return what is compared and what was found, or why there is nothing."""
        if self.comparison is None:
            return self.problem or "Nothing is chosen."
        told = self.comparison.told(self.selection).replace("**", "")
        return "\n\n".join([told, *(panel.text() for panel in self._panels())])

    def tell(self, sentence: str) -> None:
        """Show a sentence in place of the panels; nothing is compared."""
        self.comparison = None
        super().tell(sentence)

    def _found(self, found: Comparison) -> None:
        """Say what is compared, once it is drawn."""
        self.comparison = found
        self.say(found.told(self.selection))

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
