"""The choices of an explorer: what is looked at, and what it is compared with."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import ipywidgets as widgets
import polars as pl

from fleetslo.charts import words
from fleetslo.explore.choices import EVERY, Choices, dropdown
from fleetslo.explore.comparison import WAYS, Selection, busiest, newest_versions

_MOST_CHOICES = 300  # of endpoints; the rest are rare, and a longer list is slow to open


class Controls(Choices):
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
        super().__init__(changed)
        self.endpoint = dropdown("Endpoint", "22em")
        self.region = dropdown("Region", "17em")
        self.version = dropdown("Version", "15em")
        self.way = dropdown("Compare with", "21em", [(says, key) for key, says in ways.items()])
        self.old = dropdown("From", "15em")
        self.new = dropdown("To", "15em")
        self.rollout = dropdown("Deployment", "30em")
        self._rollouts: dict[str, tuple[datetime, str]] = {}
        self.add(
            service=self.service,
            endpoint=self.endpoint,
            region=self.region,
            version=self.version,
        )
        self.add(compare=self.way, old=self.old, new=self.new, deployment=self.rollout, **more)

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


def _hurt(rollout: dict[str, Any]) -> bool:
    return rollout["outcome"] in ("failed", "rolled_back")


def _rollout_label(rollout: dict[str, Any]) -> str:
    outcome = f" · {rollout['outcome'].replace('_', ' ')}" if _hurt(rollout) else ""
    return f"{words.moment(rollout['started_at'])} · {rollout['version']}{outcome}"
