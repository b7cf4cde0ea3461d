"""An objective: what should be good, how much of it, over which window, and who is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from fleetslo.reliability.alerts import AlertWindow, alert_windows
from fleetslo.reliability.openslo.conditions import Condition
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.windows import Window

EACH = "{service}"
"""Stands for the service's name in a template."""

OWNER = "fleetslo/owner"
REVIEWED = "fleetslo/reviewed"

Method = Literal["Occurrences", "Timeslices", "RatioTimeslices"]


@dataclass(frozen=True)
class Objective:
    """One target for one service, or a template for many.

    Attributes:
        name: the document's name, with ``/`` and the objective's own where it has several.
        display_name: what a page calls it; None for the name.
        service: the service, or ``{service}`` in a template.
        selector: what is counted; an empty one for a composite and for what is not measured.
        target: the share that must be good, in [0, 1). Of a composite: what its members' own
            targets come to; see ``reliability.composed``.
        window: the rolling or calendar window.
        method: the budgeting method.
        labels: the document's labels.
        annotations: the document's annotations, without those that became fields here.
        source: the file and document that it was read from.
        for_condition: which services a template is for; None for an objective of one service.
        document: the name of the document, metadata.name.
        policy: the two-window alert policy, ``workbook`` or ``proportional``; None where the
            document's own alert policies stand in its place.
        own_alerts: the conditions of the document's ``alertPolicies``.
        description: what the document says about it; empty when it says nothing.
        slice_length: of one time slice, in whole minutes; None for Occurrences.
        slice_target: the SLI from which on a slice of Timeslices is good.
        no_data: what a slice without data counts as; None leaves it out.
        members: the objectives that a composite is made of, each with its own indicator.
        weight: of a member in its composite.
        weighted_mean: whether a composite is the mean of its members, not the sum of their
            shortfalls.
        since: the instant from which on it holds; None for always.
        unmeasured: why fleetslo cannot measure it, as a clause; None where it can.
        written: the fields of the document that say what is counted (``indicator``, and ``op``
            and ``value`` where it has them) and its ``alertPolicies``, with what they refer to
            written out.
        notes: what reading it has to say, a sentence each.
    """

    name: str
    display_name: str | None
    service: str
    selector: Selector
    target: float
    window: Window
    method: Method
    labels: Mapping[str, str | list[str]] = field(hash=False)
    annotations: Mapping[str, str] = field(hash=False)
    source: str
    for_condition: Condition | None
    document: str
    policy: str | None = "workbook"
    own_alerts: tuple[AlertWindow, ...] = ()
    description: str = ""
    slice_length: timedelta | None = None
    slice_target: float | None = None
    no_data: Literal["good", "bad"] | None = None
    members: tuple["Objective", ...] = ()
    weight: float = 1.0
    weighted_mean: bool = False
    since: datetime | None = None
    unmeasured: str | None = None
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def measured(self) -> tuple["Objective", ...]:
        """Return what is counted for it: a composite's members, else itself; () if unmeasured."""
        if self.unmeasured is not None:
            return ()
        return self.members or (self,)

    @property
    def alerts(self) -> tuple[AlertWindow, ...]:
        """Return every condition that can fire for it, the most urgent policy first."""
        named = alert_windows(self.window.nominal, self.policy) if self.policy else ()
        return (*named, *self.own_alerts)

    @property
    def owner(self) -> str | None:
        """Whose objective it is, as its document says; None where it does not."""
        return self.annotations.get(OWNER)

    @property
    def reviewed(self) -> date | None:
        """The day on which it was last looked at, as its document says."""
        said = self.annotations.get(REVIEWED)
        return None if said is None else date.fromisoformat(said)

    @property
    def label(self) -> str:
        """What a page calls it: the display name, or the name without its service."""
        if self.display_name:
            return self.display_name
        short = self.name.removeprefix(self.service).lstrip("-_./:")
        return short or self.name
