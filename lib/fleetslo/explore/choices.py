"""The choices of a view, by the names that they have in code, and who hears of a change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from fleetslo.charts import words
from fleetslo.errors import ParameterError, nearest

Option = tuple[str, Any]
EVERY = object()
"""The choice of all of something. Not None, which a list shows as nothing chosen."""

MARGIN = "2px 18px 2px 0"
"""Around every choice, in CSS."""


def dropdown(label: str, width: str, options: Sequence[Option] = ()) -> widgets.Dropdown:
    """Return a list to choose from, as all lists of a view look."""
    return widgets.Dropdown(
        description=label,
        options=list(options),
        style={"description_width": "initial"},
        layout=widgets.Layout(width=width, max_width="100%", margin=MARGIN),
    )


class Choices:
    """Rows of choices, the first of them the service.

    Args:
        changed: called when the reader chose something, with the name of what was chosen.

    Attributes:
        widget: all of them, laid out.
        service: what is looked at.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self.service = dropdown("Service", "17em")
        self._changed = changed
        self._quiet = False
        self._named: dict[str, widgets.Widget] = {}
        self.widget = widgets.VBox(layout=widgets.Layout(width="100%"))

    def add(self, *beside: widgets.Widget, **choices: widgets.Widget) -> None:
        """Add a row of choices, each by the name that it has in code.

        What stands ``beside`` them, in front, is another way to make one of them.
        """
        for name, one in choices.items():
            one.observe(self._follow(name), names="value")
        self._named |= choices
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        box = widgets.Box([*beside, *choices.values()], layout=row)
        self.widget.children = (*self.widget.children, box)
        self.fit()

    def _follow(self, name: str) -> Callable[[object], None]:
        def follow(_change: object) -> None:
            self.fit()
            if not self._quiet:
                self._changed(name)

        return follow

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let values be set without telling anybody."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before
            self.fit()

    def fit(self) -> None:
        """Make choices that follow from others agree with them; here none does."""

    @property
    def names(self) -> list[str]:
        """What can be chosen, by name."""
        return list(self._named)

    def values_of(self, name: str) -> list[Any] | None:
        """Return what a list offers; None where anything can be typed.

        Raises:
            ParameterError: there is no such choice.
        """
        if name not in self._named:
            raise ParameterError(
                f"there is no choice {name!r}.{nearest(name, self.names)} "
                f"There are {words.listed(self.names, most=20)}"
            )
        one = self._named[name]
        if not isinstance(one, widgets.Dropdown):
            return None
        return [None if value is EVERY else value for _, value in one.options]

    def choose(self, name: str, value: Any) -> None:
        """Set one value by name without telling anybody; None is all.

        Raises:
            ParameterError: there is no such choice, or it cannot have that value.
        """
        known = self.values_of(name)
        if known is not None and value not in known:
            offered = [str(one) for one in known if one is not None]
            raise ParameterError(
                f"{name} cannot be {value!r}.{nearest(str(value), offered)} "
                f"It is one of {words.listed(offered, most=8)}"
            )
        with self.quiet():
            self._named[name].value = EVERY if value is None else value

    def offer_services(self, names: Iterable[str]) -> None:
        """Offer these services."""
        with self.quiet():
            self.replace(self.service, [(name, name) for name in names])

    @staticmethod
    def replace(
        one: widgets.Dropdown, options: Sequence[Option], preferred: Sequence[object] = ()
    ) -> None:
        """Replace the options of a list; keep its value, else take the first preferred one."""
        held, known = one.value, [value for _, value in options]
        one.options = list(options)
        wanted = [value for value in (held, *preferred) if value in known]
        if known:
            one.value = wanted[0] if wanted else known[0]
