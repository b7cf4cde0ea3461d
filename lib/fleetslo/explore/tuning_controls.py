"""The choices of slo_tuning: an objective, a target, a threshold, an alert policy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import ipywidgets as widgets

from fleetslo.charts import words
from fleetslo.charts.tuning_alerts import POLICIES
from fleetslo.errors import ParameterError, nearest
from fleetslo.explore.controls import dropdown
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.tuning import LADDER

_MARGIN = "2px 18px 2px 0"  # as that of the lists beside it


class TuningControls:
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
        self.service = dropdown("Service", "17em")
        self.objective = dropdown("Objective", "24em")
        self.slider = widgets.SelectionSlider(
            description="Target",
            options=[(words.target(one), one) for one in LADDER],
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="26em", max_width="100%", margin=_MARGIN),
        )
        self.box = widgets.BoundedFloatText(
            description="or, in %",
            min=0,
            max=99.99999,
            step=0.01,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="12em", max_width="100%", margin=_MARGIN),
        )
        self.threshold = dropdown("Threshold", "18em")
        self.policy = dropdown("Alert policy", "20em")
        self._changed = changed
        self._quiet = False
        for name, one in self._named().items():
            one.observe(self._follow(name), names="value")
        self.slider.observe(self._slid, names="value")
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        self.widget = widgets.VBox(
            [
                widgets.Box([self.service, self.objective, self.policy], layout=row),
                widgets.Box([self.slider, self.box, self.threshold], layout=row),
            ],
            layout=widgets.Layout(width="100%"),
        )

    def _named(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "objective": self.objective,
            "target": self.box,
            "within_s": self.threshold,
            "policy": self.policy,
        }

    def _follow(self, name: str) -> Callable[[object], None]:
        def follow(_change: object) -> None:
            if name == "target":
                self._snap()
            if not self._quiet:
                self._changed(name)

        return follow

    def _slid(self, _change: object) -> None:
        if not self._quiet:
            self.box.value = _percent(self.slider.value)

    def _snap(self) -> None:
        """Put the slider to the target nearest to the one in the box."""
        nearest = min(LADDER, key=lambda one: abs(one - self.target))
        if self.slider.value != nearest:
            before, self._quiet = self._quiet, True
            self.slider.value = nearest
            self._quiet = before

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let values be set without telling anybody."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
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

    @property
    def names(self) -> list[str]:
        """What can be chosen, by name."""
        return list(self._named())

    def offer_services(self, names: Iterable[str]) -> None:
        """Offer these services."""
        self._offer(self.service, [(name, name) for name in names])

    def offer_objectives(self, objectives: Sequence[Objective]) -> None:
        """Offer a service's objectives, by their names."""
        labels = [words.capital(one.label) for one in objectives]
        self._offer(
            self.objective,
            [
                (label if labels.count(label) == 1 else one.name, one.name)
                for label, one in zip(labels, objectives, strict=True)
            ],
        )

    def offer(self, objective: Objective, thresholds: Sequence[float]) -> None:
        """Start from an objective's own target, threshold and policy; offer what can be tried."""
        with self.quiet():
            self.box.value = _percent(objective.target)
            present = objective.selector.within_s
            marks = {present: " · present"}
            self._offer(
                self.threshold,
                [(words.latency(one) + marks.get(one, ""), one) for one in thresholds],
                keep=False,
            )
            if thresholds:
                self.threshold.value = present
            self.threshold.layout.display = None if thresholds else "none"
            self._offer(self.policy, [(says, key) for key, says in policies_of(objective)])

    def choose(self, name: str, value: Any) -> None:
        """Set one value by name without telling anybody.

        Raises:
            ParameterError: it is none of those that are offered.
        """
        if name not in self.names:
            raise ParameterError(
                f"there is no choice {name!r}.{nearest(name, self.names)} "
                f"There are {words.listed(self.names, most=20)}"
            )
        with self.quiet():
            if name == "target":
                if not 0 <= value < 1:
                    raise ParameterError(f"a target of {value!r} cannot be; it is in [0, 1)")
                self.box.value = _percent(value)
                return
            one = self._named()[name]
            known = [offered for _, offered in one.options]
            if value not in known:
                texts = [str(one) for one in known]
                raise ParameterError(
                    f"{name} cannot be {value!r}.{nearest(str(value), texts)} "
                    f"It is one of {words.listed(texts, most=8)}"
                )
            one.value = value

    def _offer(
        self, one: widgets.Dropdown, options: Sequence[tuple[str, Any]], *, keep: bool = True
    ) -> None:
        """Replace the options of a list; keep its value where it is still offered."""
        held = one.value if keep else None
        with self.quiet():
            one.options = list(options)
            known = [value for _, value in options]
            if known:
                one.value = held if held in known else known[0]


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
