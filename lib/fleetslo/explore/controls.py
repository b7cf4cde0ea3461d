"""The choices of an explorer: what is looked at, and what it is compared with."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import ipywidgets as widgets
import polars as pl

from fleetslo.charts import words
from fleetslo.explore.comparison import WAYS, Selection, busiest, newest_versions

_MOST_CHOICES = 300  # of endpoints; the rest are rare, and a longer list is slow to open
Option = tuple[str, Any]
EVERY = object()
"""The choice of all of something. Not None, which a list shows as nothing chosen."""


def dropdown(label: str, width: str, options: Sequence[Option] = ()) -> widgets.Dropdown:
    """Return a list to choose from, as all lists of an explorer look."""
    return widgets.Dropdown(
        description=label,
        options=list(options),
        style={"description_width": "initial"},
        layout=widgets.Layout(width=width, max_width="100%", margin="2px 18px 2px 0"),
    )


class Controls:
    """Service, endpoint, region and version; and the comparison, with what each way needs.

    Args:
        changed: called when the reader chose something, with the name of what was chosen.
        ways: each way to compare, and what a reader calls it.
        more: further choices that a way of comparing needs, by the name that they have in code.

    Attributes:
        widget: all of them, laid out.
        service, endpoint, region, version: what is looked at.
        way: how it is compared, one of ``ways``.
        old, new: the two versions.
        rollout: the deployment, by its ``rollout_id``.
    """

    def __init__(
        self,
        changed: Callable[[str], None],
        ways: Mapping[str, str] = WAYS,
        **more: widgets.Widget,
    ) -> None:
        self.service = dropdown("Service", "17em")
        self.endpoint = dropdown("Endpoint", "22em")
        self.region = dropdown("Region", "17em")
        self.version = dropdown("Version", "15em")
        self.way = dropdown("Compare with", "21em", [(says, key) for key, says in ways.items()])
        self.old = dropdown("From", "15em")
        self.new = dropdown("To", "15em")
        self.rollout = dropdown("Deployment", "30em")
        self._changed = changed
        self._quiet = False
        self._rollouts: dict[str, tuple[datetime, str]] = {}
        self._named: dict[str, widgets.Widget] = {}
        self.widget = widgets.VBox(layout=widgets.Layout(width="100%"))
        self.add(
            service=self.service,
            endpoint=self.endpoint,
            region=self.region,
            version=self.version,
        )
        self.add(compare=self.way, old=self.old, new=self.new, deployment=self.rollout, **more)

    def add(self, **choices: widgets.Widget) -> None:
        """Add a row of choices, each by the name that it has in code."""
        for name, one in choices.items():
            one.observe(self._follow(name), names="value")
        self._named |= choices
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        box = widgets.Box(list(choices.values()), layout=row)
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

    def choose(self, **values: Any) -> None:
        """Set values by name without telling anybody."""
        with self.quiet():
            for name, value in values.items():
                self._named[name].value = EVERY if value is None else value

    @property
    def names(self) -> list[str]:
        """What can be chosen, by name."""
        return list(self._named)

    def values_of(self, name: str) -> list[Any] | None:
        """Return what can be chosen; None for any text; KeyError where nothing is called so."""
        one = self._named[name]
        if isinstance(one, widgets.Text):
            return None
        values = [value for _, value in one.options]
        return [None if value is EVERY else value for value in values]

    @property
    def selection(self) -> Selection:
        """What is looked at; the version counts only where versions are not compared."""
        lists = (self.endpoint, self.region, self.version)
        endpoint, region, version = (
            None if one.value is EVERY else str(one.value) for one in lists
        )
        if self.way.value == "versions":
            version = None
        return Selection(self.service.value, endpoint, region, version)

    @property
    def deployment(self) -> tuple[datetime, str] | None:
        """When the chosen deployment began, and its version; None when there is none."""
        return self._rollouts.get(self.rollout.value)

    def offer_services(self, names: Iterable[str]) -> None:
        """Offer these services."""
        with self.quiet():
            self.replace(self.service, [(name, name) for name in names])

    def offer(self, hours: pl.DataFrame, rollouts: pl.DataFrame) -> None:
        """Offer what a service has; what was chosen stays chosen where the service has it too.

        Args:
            hours: the service's rows, as ``latency/hours`` has them.
            rollouts: as ``comparison.rollouts`` returns them.
        """
        versions = newest_versions(hours)
        with self.quiet():
            for one, column in ((self.endpoint, "endpoint"), (self.region, "region")):
                counted = busiest(hours, column)[:_MOST_CHOICES]
                told = [
                    (f"{value or '(none)'} · {words.count(count)}", value)
                    for value, count in counted
                ]
                self.replace(one, [(f"all {len(counted)}", EVERY), *told])
            self.replace(
                self.version,
                [(f"all {len(versions)}", EVERY), *((one or "(none)", one) for one in versions)],
            )
            for one, preferred in ((self.old, versions[1:2]), (self.new, versions[:1])):
                self.replace(one, [(value or "(none)", value) for value in versions], preferred)
            self._rollouts = {
                row["rollout_id"]: (row["started_at"], row["version"])
                for row in rollouts.to_dicts()
            }
            self.replace(
                self.rollout,
                [(_rollout_label(row), row["rollout_id"]) for row in rollouts.to_dicts()],
                [row["rollout_id"] for row in rollouts.to_dicts() if _hurt(row)],
            )

    def fit(self) -> None:
        """Show only the choices that the way of comparing uses."""
        way = self.way.value
        for one, wanted in (
            (self.old, "versions"),
            (self.new, "versions"),
            (self.rollout, "deployment"),
        ):
            one.layout.display = None if way == wanted else "none"
        self.version.disabled = way == "versions"

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


def _hurt(rollout: dict[str, Any]) -> bool:
    return rollout["outcome"] in ("failed", "rolled_back")


def _rollout_label(rollout: dict[str, Any]) -> str:
    outcome = f" · {rollout['outcome'].replace('_', ' ')}" if _hurt(rollout) else ""
    return f"{words.moment(rollout['started_at'])} · {rollout['version']}{outcome}"
