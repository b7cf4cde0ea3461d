"""Pages sent to people on call in the demo fleet: those that incidents caused, and the noise."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import DAY, HISTORY_DAYS, LENGTH, at, local_minute
from fleetslo.warehouse.demo.events import Effect, Incident
from fleetslo.warehouse.demo.names import MOVES

_NOISE = (
    ("disk over 85 %", "low", 0.16),
    ("instances below minimum", "high", 0.20),
    ("latency p99 over threshold", "high", 0.30),
    ("error ratio over 1 % for 1 m", "high", 0.24),
    ("consumer lag growing", "low", 0.10),
)


@dataclass(frozen=True)
class Page:
    """One page; minutes since ORIGIN, with a fraction."""

    page_id: str
    squad: str
    service: str
    alert: str
    urgency: str
    opened: float
    acknowledged: float | None
    resolved: float | None
    incident_id: str | None
    actionable: bool


def squad_at(service: Service, minute: float) -> str:
    """Return who owns a service at a minute."""
    if service.name in MOVES and minute < at(MOVES[service.name][1]):
        return MOVES[service.name][0]
    return service.part.squad


def plan_pages(
    services: tuple[Service, ...], incidents: list[Incident], effects: list[Effect], seed: int
) -> list[Page]:
    """Return the pages of the history, in the order in which they were sent."""
    random = random_for(seed, "pages")
    by_name = {service.name: service for service in services}
    found: list[Page] = []
    for incident in incidents:
        found.append(_for_incident(incident, by_name[incident.service], random))
        for effect in effects:
            if effect.cause == incident.incident_id and effect.service != incident.service:
                caller = by_name[effect.service]
                # A caller's own alert fires when a tenth of its budget is gone.
                spent = effect.error_rate * effect.exposure / (caller.allowed_bad * 28 * DAY)
                if spent > 0.04 and caller.part.squad:
                    found.append(_for_caller(incident, effect, caller, random))
    for service in services:
        if service.part.squad and service.part.rpm:
            found.extend(_noise(service, random))
    found.sort(key=lambda page: (page.opened, page.service))
    return [_numbered(page, 70_000 + 3 * nth) for nth, page in enumerate(found)]


def _numbered(page: Page, number: int) -> Page:
    return Page(**(page.__dict__ | {"page_id": f"P{number}"}))


def _answer(service: Service, opened: float, random: np.random.Generator) -> float:
    hour = local_minute(int(opened), service.part.zone) % DAY / 60
    asleep = hour < 7 or hour >= 23
    return opened + float(np.clip(random.lognormal(1.9 if asleep else 0.9, 0.7), 0.3, 55))


def _for_incident(incident: Incident, service: Service, random: np.random.Generator) -> Page:
    opened = incident.detected + float(random.uniform(0, 0.9))
    end = incident.mitigated
    return Page(
        page_id="",
        squad=squad_at(service, opened),
        service=service.name,
        alert="budget burn 1 h / 5 m"
        if incident.severity in ("sev1", "sev2")
        else "budget burn 6 h / 30 m",
        urgency="high",
        opened=opened,
        acknowledged=_answer(service, opened, random),
        resolved=None if end is None else max(end + float(random.uniform(2, 9)), opened + 2),
        incident_id=incident.incident_id,
        actionable=True,
    )


def _for_caller(
    incident: Incident, effect: Effect, caller: Service, random: np.random.Generator
) -> Page:
    opened = min(effect.full + float(random.uniform(2, 9)), effect.end - 0.5)
    return Page(
        page_id="",
        squad=squad_at(caller, opened),
        service=caller.name,
        alert="budget burn 1 h / 5 m",
        urgency="high",
        opened=opened,
        acknowledged=_answer(caller, opened, random),
        resolved=None if incident.mitigated is None else effect.end + float(random.uniform(2, 12)),
        incident_id=incident.incident_id,
        actionable=random.random() < 0.3,
    )


def _noise(service: Service, random: np.random.Generator) -> list[Page]:
    found = []
    weights = np.array([weight for _, _, weight in _NOISE])
    kinds = random.choice(len(_NOISE), size=2, p=weights / weights.sum())
    for opened in random.uniform(
        0, LENGTH - 60, random.poisson(service.noise_pages * HISTORY_DAYS / 7)
    ):
        alert, urgency, _ = _NOISE[int(random.choice(kinds))]
        lasts = float(random.lognormal(2.2, 0.8)) + 1
        answered = _answer(service, opened, random)
        found.append(
            Page(
                page_id="",
                squad=squad_at(service, opened),
                service=service.name,
                alert=alert,
                urgency=urgency,
                opened=float(opened),
                # What clears by itself before anybody wakes is never acknowledged.
                acknowledged=answered if answered < opened + lasts + 4 else None,
                resolved=min(float(opened + lasts), LENGTH - 0.5),
                incident_id=None,
                actionable=bool(random.random() < 0.22),
            )
        )
    return found
