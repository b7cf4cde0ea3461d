"""The choices of slo_tuning: an objective, a target, a threshold, an alert policy."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import ipywidgets as widgets

from fleetslo.charts import words
from fleetslo.charts.tuning.alerts import POLICIES
from fleetslo.errors import ParameterError
from fleetslo.explore.choices import MARGIN, Choices, dropdown
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.tuning import LADDER


class TuningControls(Choices):
    """Service and objective; target, threshold and alert policy to try.

    Args:
        changed: called when the reader chose something, with the name of what was chosen.

    Attributes:
        widget: all of them, laid out.
        service, objective, threshold, policy: lists.
        slider: targets as people write them.
        box: any target, in per cent.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        super().__init__(changed)
        self.objective = dropdown("Objective", "24em")
        self.slider = widgets.SelectionSlider(
            description="Target",
            options=[(words.target(one), one) for one in LADDER],
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="26em", max_width="100%", margin=MARGIN),
        )
        self.box = widgets.BoundedFloatText(
            description="or, in %",
            min=0,
            max=99.99999,
            step=0.01,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="12em", max_width="100%", margin=MARGIN),
        )
        self.threshold = dropdown("Threshold", "18em")
        self.policy = dropdown("Alert policy", "20em")
        self.slider.observe(self._slid, names="value")
        self.add(service=self.service, objective=self.objective, policy=self.policy)
        self.add(self.slider, target=self.box, within_s=self.threshold)

    def _slid(self, _change: object) -> None:
        if not self._quiet:
            self.box.value = _percent(self.slider.value)

    def fit(self) -> None:
        """Put the slider to the target nearest to the one in the box."""
        closest = min(LADDER, key=lambda one: abs(one - self.target))
        if self.slider.value != closest:
            before, self._quiet = self._quiet, True
            self.slider.value = closest
            self._quiet = before

    @property
    def target(self) -> float:
        """The target to try, in [0, 1)."""
        return float(Decimal(repr(self.box.value)) / 100)

    @property
    def within_s(self) -> float | None:
        """The threshold to try, in seconds; None where the objective has none to move."""
        found: float | None = self.threshold.value
        return found

    def offer_objectives(self, objectives: Sequence[Objective]) -> None:
        """Offer a service's objectives, by their names."""
        labels = [words.capital(one.label) for one in objectives]
        told = [
            (label if labels.count(label) == 1 else one.name, one.name)
            for label, one in zip(labels, objectives, strict=True)
        ]
        with self.quiet():
            self.replace(self.objective, told)

    def offer(self, objective: Objective, thresholds: Sequence[float]) -> None:
        """Start from an objective's own target, threshold and policy; offer what can be tried."""
        with self.quiet():
            self.box.value = _percent(objective.target)
            present = objective.selector.within_s
            marks = {present: " · present"}
            self.replace(
                self.threshold,
                [(words.latency(one) + marks.get(one, ""), one) for one in thresholds],
            )
            if thresholds:
                self.threshold.value = present
            self.threshold.layout.display = None if thresholds else "none"
            self.replace(self.policy, [(says, key) for key, says in policies_of(objective)])

    def choose(self, name: str, value: Any) -> None:
        """Set one value by name without telling anybody; a target is in [0, 1).

        Raises:
            ParameterError: there is no such choice, or it cannot have that value.
        """
        if name != "target":
            super().choose(name, value)
        elif 0 <= value < 1:
            super().choose(name, _percent(value))
        else:
            raise ParameterError(f"a target of {value!r} cannot be; it is in [0, 1)")


def policies_of(objective: Objective) -> list[tuple[str, str]]:
    """Return the alert policies to compare for an objective, its own first.

    Its own is left out where it is one of the built-in ones.
    """
    own = objective.policy if not objective.own_alerts else None
    named = [(key, says) for key, says in POLICIES.items() if key != "own"]
    if own in dict(named):
        return sorted(((key, _its(says, key == own)) for key, says in named),
                      key=lambda pair: pair[0] != own)  # fmt: skip
    return [("own", POLICIES["own"]), *named] if objective.alerts else named


def _its(says: str, is_own: bool) -> str:
    return f"{says} (present)" if is_own else says


def _percent(target: float) -> float:
    return float(Decimal(repr(target)) * 100)
