"""The widget of slo_tuning: what target and threshold the past supports, what alerts would do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.charts import alerting, words
from fleetslo.charts.tuning.alerts import alert_timeline, policy_table
from fleetslo.charts.tuning.choice import Choice, within
from fleetslo.charts.tuning.fits import fit_table, incident_spending, unexplained_spending
from fleetslo.charts.tuning.past import past_windows, target_table
from fleetslo.charts.tuning.thresholds import threshold_map
from fleetslo.errors import NoData
from fleetslo.explore.panel import ChartPanel, Panel, TablePanel
from fleetslo.explore.tuning_alerts import Tried, held_against_incidents, try_policies
from fleetslo.explore.tuning_controls import TuningControls, policies_of
from fleetslo.explore.tuning_document import (
    DocumentPanel,
    in_place,
    save_document,
    with_choice,
)
from fleetslo.explore.tuning_history import (
    ServicePast,
    met_map,
    reach_back,
    tunable,
    unit_of,
)
from fleetslo.explore.view import View, remembering
from fleetslo.periods import Period
from fleetslo.reliability.agreement import Agreement
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.openslo.exporting import as_yaml
from fleetslo.reliability.tuning import supported, worth_showing

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

WORKING_HOURS = (9, 17)
"""From nine to five, Monday to Friday, by the clock of a service's on-call."""


class TuningView(View):
    """One objective, held against its past with another target or threshold.

    Made by ``slo_tuning``. What is chosen, and what came of it, can be read at any time.
    ``choose`` takes any of ``service``, ``objective``, ``target``, ``within_s`` (in seconds) and
    ``policy``.

    Attributes:
        period: what alerts are replayed over; windows reach back further.
        windows: the SLI of every whole window, with the threshold that is tried.
        tried: what each alert policy would have done; None where no minutes are kept.
        held: the SLI held against incidents.
        past, map, alerts: the charts.
        targets, policies, fired, found, unseen, unexplained, fitting: the tables.
        proposal: the changed document, with what saves it.
        problem: why nothing is shown; None when all is well.
    """

    controls: TuningControls
    leading = ("service", "objective")
    tables = ("slo_minutes", "requests_hourly", "incidents")

    def __init__(
        self,
        fleet: "Fleet",
        period: Period,
        objectives: list[Objective],
        working_hours: tuple[int, int] = WORKING_HOURS,
    ) -> None:
        self._objectives = tunable(objectives)
        services = sorted({one.service for one in self._objectives})
        super().__init__(fleet, period, services, TuningControls)
        self.working_hours = working_hours
        self.windows = pl.DataFrame()
        self.tried: Tried | None = None
        self.held: Agreement | None = None
        self._whole = objectives
        self._past_of = remembering(self._service_past)
        self._offered: tuple[str, str] | None = None
        self.past, self.map, self.alerts = ChartPanel(260), ChartPanel(300), ChartPanel(200)
        self.targets, self.policies, self.fired, self.found = (TablePanel() for _ in range(4))
        self.unseen, self.unexplained, self.fitting = (TablePanel() for _ in range(3))
        self.proposal = DocumentPanel(lambda path, over: self.save(path, overwrite=over))
        self._lay_out(*(panel.widget for panel in self._first()))

    def text(self) -> str:
        """Return what is tried and what was found, or why there is nothing."""
        if self.problem is not None:
            return self.problem
        return "\n\n".join(panel.text() for panel in self._first())

    def _first(self) -> tuple[Panel, ...]:
        """Return what stands in the widget itself; the rest is shown in cells that follow."""
        return self.past, self.map, self.targets, self.policies, self.alerts

    @property
    def objective(self) -> Objective:
        """The objective that is looked at, as it is now.

        Raises:
            NoData: there is none.
        """
        chosen = self.controls.service.value, self.controls.objective.value
        for one in self._objectives:
            if (one.service, one.name) == chosen:
                return one
        raise NoData("no objective that fleetslo can measure is chosen")

    @property
    def squad(self) -> str:
        """The squad of the service; empty where nobody says."""
        known = self.fleet.services(self.period)
        found = known.filter(pl.col("service") == self.controls.service.value)["squad"]
        return (found[0] or "") if len(found) else ""

    @property
    def changed(self) -> Objective:
        """The objective with the target and threshold that are tried."""
        return with_choice(self.objective, self.controls.target, self.controls.within_s)

    @property
    def document(self) -> str:
        """The changed objective as an OpenSLO document, ready to commit."""
        return as_yaml([in_place(self._whole, self.changed)])

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the changed document to a file and return its path.

        Raises:
            OutputError: there is a file already and ``overwrite`` is not set, or it cannot be
                written.
        """
        return save_document(Path(path), self.document, overwrite=overwrite)

    def tell(self, sentence: str) -> None:
        """Show a sentence in place of the charts."""
        self.tried = self.held = None
        self.windows = self.windows.clear()
        super().tell(sentence)

    def _panels(self) -> tuple[Panel, ...]:
        still = self.past, self.map, self.targets, self.fitting, self.proposal
        return *still, *self._replayed()

    def _replayed(self) -> tuple[Panel, ...]:
        tables = (self.policies, self.fired, self.found, self.unseen, self.unexplained)
        return self.alerts, *tables

    def _load(self) -> None:
        """Fetch the chosen service's past, once, and offer what its objective can try."""
        name = self.controls.service.value
        if name is None:
            raise NoData("no service has an objective that fleetslo can measure")
        past = self._past_of(name)
        if self._offered is None or self._offered[0] != name:
            self.controls.offer_objectives(self._own(name))
        objective = self.objective
        if self._offered != (name, objective.name):
            self.controls.offer(objective, past.thresholds(objective))
            self._offered = (name, objective.name)

    def _own(self, service: str) -> list[Objective]:
        return [one for one in self._objectives if one.service == service]

    def _service_past(self, service: str) -> ServicePast:
        about = self.fleet.services(self.period).row(
            by_predicate=pl.col("service") == service, named=True
        )
        own = self._own(service)
        return ServicePast(self.fleet, about, self.period, reach_back(self.period), own)

    def _draw(self) -> None:
        objective, changed = self.objective, self.changed
        past = self._past_of(objective.service)
        moves = past.can_move(objective)
        choice = Choice(
            label=words.capital(objective.label),
            unit=unit_of(objective),
            target=changed.target,
            within_s=changed.selector.within_s,
            present=objective.target,
            query="latency/hours" if moves else "slo/minutes",
        )
        both = (choice.target, choice.present)
        self.windows = past.windows(objective, choice.within_s)
        self.past.show(past_windows(self.windows, choice))
        targets = worth_showing(supported(self.windows).best, both)
        self.targets.show(target_table(self.windows, choice, targets))
        if moves:
            windows = past.by_threshold(objective)
            slowest = supported(windows[max(windows)])
            targets = worth_showing(slowest.best, both)
            present_s = objective.selector.within_s or 0.0
            self.map.show(threshold_map(met_map(windows, targets), choice, present_s, targets))
        else:
            self.map.clear()
        self.fitting.show(fit_table(past.fits))
        self.proposal.show(
            self.document,
            self.fleet.settings.project / "queries" / "objectives" / f"{objective.document}.yaml",
            _told_change(objective, choice),
            self._stands_for(objective),
        )
        late = self._replay(past, changed, choice)
        self.say(_told(objective, choice, self.period, late))

    def _stands_for(self, objective: Objective) -> str:
        """Return what the changed document takes the place of."""
        templates = {one.source for one in self.fleet.objectives if one.for_condition is not None}
        if objective.source in templates:
            return f"It wins over the template in {objective.source} for this service."
        return f"It takes the place of {objective.source}: take that one out, or change it there."

    def _replay(self, past: ServicePast, changed: Objective, choice: Choice) -> str:
        """Draw what alerts would have done; return what a reader must know of it."""
        try:
            found = past.replayable(self.objective, choice.within_s)
        except NoData as error:
            self.tried = self.held = None
            for panel in self._replayed():
                panel.clear()
            return words.capital(f"{error}.")
        self.tried = tried = try_policies(
            past, found, changed, [key for key, _ in policies_of(changed)], self.working_hours
        )
        self.held = held_against_incidents(past, found, self.objective, choice.target)
        opens, closes = self.working_hours
        hours = f"{opens}:00 to {closes}:00, Monday to Friday, in {past.zone}"
        chosen = self.controls.policy.value
        self.policies.show(policy_table(tried.rows(chosen), choice, hours))
        self.alerts.show(alert_timeline(tried.alerts, past.incidents, tried.period, choice))
        named = {"objective": changed.name, "label": choice.label}
        detection = tried.detections[chosen]
        self.fired.show(alerting.alert_table(detection, named))
        self.found.show(alerting.detection_table(detection, named))
        self.unseen.show(incident_spending(self.held, choice))
        self.unexplained.show(unexplained_spending(self.held, choice))
        if found.since is None:
            return ""
        return (
            f"Alerts are replayed from {words.moment(found.since)} on: requests of earlier minutes "
            f"are not kept, so nobody can count them{within(choice.within_s)}."
        )


def _told(objective: Objective, choice: Choice, period: Period, late: str) -> str:
    present = words.target(choice.present) + within(objective.selector.within_s)
    tried = choice.says if choice.says != present else "its present target"
    return (
        f"**{objective.service}, {choice.label.lower()}**: {tried} "
        f"{'' if tried == 'its present target' else f'instead of {present} '}"
        f"over {words.window(objective.window.nominal)}. Alerts over {period.label}. {late}"
    ).strip()


def _told_change(objective: Objective, choice: Choice) -> str:
    present = words.target(choice.present) + within(objective.selector.within_s)
    if choice.says == present:
        return f"{objective.document}, as it is: {present}"
    return f"{objective.document}, changed from {present} to {choice.says}"


def slo_tuning(
    fleet: "Fleet",
    service: str,
    period: Period,
    *,
    working_hours: tuple[int, int] = WORKING_HOURS,
    **choices: Any,
) -> TuningView:
    """Return the widget that holds a service's objectives against their past.

    A service or choice that does not exist is told in the widget, where another can be chosen.

    Args:
        fleet: where the data is.
        service: what to look at first; empty is the first that has an objective.
        period: what alerts are replayed over; windows are taken from all history before its end.
        working_hours: first and last (exclusive) hour of the working day, by the clock of the
            service's on-call.
        choices: ``objective, target, within_s, policy``; see ``TuningView.choose``. An empty text
            or 0 means what the objective has.
    """
    view = TuningView(fleet, period, fleet.objectives_at(period), working_hours)
    return view.begin(service=service, **choices)
