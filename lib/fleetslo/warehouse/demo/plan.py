"""The whole plan of a demo fleet: who ships what, what breaks, who suffers, who is woken."""

from dataclasses import dataclass, replace

import polars as pl

from fleetslo.warehouse.demo.catalogue import (
    Service,
    make_services,
    random_for,
    sends_telemetry,
    services_frame,
)
from fleetslo.warehouse.demo.clock import DAY, LENGTH, SIZES, Size
from fleetslo.warehouse.demo.events import Effect, Incident
from fleetslo.warehouse.demo.pages import Page, plan_pages
from fleetslo.warehouse.demo.rollouts import Harm, Releases, plan_releases
from fleetslo.warehouse.demo.story import HARMS, NUISANCES, OUTAGES, Outage, chance, error_rate

# The service whose last rollout is still a canary when the fleet ends.
_STILL_SHIPPING = "playlist-read"


@dataclass(frozen=True)
class Plan:
    """Everything about a fleet that is not a count of requests."""

    size: Size
    seed: int
    services: tuple[Service, ...]
    catalogue: pl.DataFrame
    releases: dict[str, Releases]
    effects: tuple[Effect, ...]
    incidents: tuple[Incident, ...]
    pages: tuple[Page, ...]

    def effects_on(self, service: str) -> tuple[Effect, ...]:
        """Return what a service suffers from."""
        return tuple(effect for effect in self.effects if effect.service == service)


def make_plan(size: str, seed: int) -> Plan:
    """Return the plan of a fleet; the same size and seed give the same plan."""
    services = make_services(size, seed)
    known = {service.name: service for service in services if sends_telemetry(service)}
    harms, outages = chance(tuple(known.values()), seed, LENGTH - 29 * DAY)
    harms = [*harms, *(harm for harm in HARMS if harm.service in known)]
    outages = [*outages, *(outage for outage in OUTAGES if outage.service in known)]
    releases = {
        service.name: plan_releases(
            service,
            [harm for harm in harms if harm.service == service.name],
            seed,
            last=service.name == _STILL_SHIPPING,
        )
        for service in services
    }
    history = _History(known, seed)
    for name in releases:
        for harm, (rollout, effect) in releases[name].effects.items():
            history.harm(harm, rollout.rollout_id, effect)
    for outage in outages:
        history.outage(outage)
    history.nuisances()
    history.number()
    pages = plan_pages(services, history.incidents, history.effects, seed)
    return Plan(
        size=SIZES[size],
        seed=seed,
        services=services,
        catalogue=services_frame(services, seed),
        releases=releases,
        effects=tuple(history.effects),
        incidents=tuple(history.incidents),
        pages=tuple(pages),
    )


class _History:
    """Collects effects and incidents, and passes trouble on to callers."""

    def __init__(self, services: dict[str, Service], seed: int) -> None:
        self.services = services
        self.random = random_for(seed, "history")
        self.effects: list[Effect] = []
        self.incidents: list[Incident] = []

    def harm(self, harm: Harm, rollout_id: str, effect: Effect) -> None:
        """Record a harmful rollout, the incident it became, and what callers saw."""
        self.effects.append(effect)
        if harm.severity is None:
            return
        random = self.random
        noticed = harm.minutes * (0.96 if harm.kind == "leak" else random.uniform(0.3, 0.7))
        detected = harm.start + max(2, int(noticed))
        started = harm.start + int(noticed * (0.9 if harm.kind == "leak" else 0.15))
        what = {
            "errors": f"{harm.endpoint or harm.service} fails after the rollout of",
            "slower": f"{harm.service} slower since",
            "leak": f"{harm.service} runs out of memory; leak since",
        }[harm.kind]
        self.incidents.append(
            Incident(
                incident_id=rollout_id,
                service=harm.service,
                severity=harm.severity,
                title=f"{what} {effect.version}",
                started=started,
                detected=min(detected, effect.end - 1),
                mitigated=effect.end,
                resolved=effect.end + int(random.integers(12, 140)),
                cause="deployment",
                caused_by=rollout_id,
            )
        )
        if harm.kind == "errors":
            self._pass_on(effect, effect.error_rate * 0.4 * random.uniform(0.1, 0.6))

    def outage(self, outage: Outage) -> None:
        """Record an outage, its incident, and what callers saw."""
        random, service = self.random, self.services[outage.service]
        end = LENGTH if outage.minutes is None else outage.start + outage.minutes
        length = end - outage.start
        rise = max(1, int(length * random.uniform(0.03, 0.15)))
        fall = 0 if outage.minutes is None else max(1, int(length * random.uniform(0.05, 0.25)))
        shape = Effect(
            cause=f"{outage.service}@{outage.start}",
            mechanism=f"{outage.cause}: {outage.title}",
            service=outage.service,
            start=outage.start,
            full=outage.start + rise,
            ease=end - fall,
            end=end,
            regions=outage.regions,
            shift=outage.shift,
            lift=0.12 if outage.errors > 0.1 else 0.0,
            faults=outage.faults,
            upstream=outage.upstream,
        )
        effect = replace(
            shape,
            error_rate=error_rate(outage, service, shape.exposure),
            slow=min(0.7, outage.slow * 0.01 * 28 * DAY / shape.exposure),
        )
        self.effects.append(effect)
        if outage.lost:
            self.effects.append(replace(shape, error_rate=outage.lost, sli=True))
        wait = int(max(1, min(length - 2, random.lognormal(1.5, 0.6) + rise)))
        mitigated = None if outage.minutes is None else end - fall // 2
        self.incidents.append(
            Incident(
                incident_id=effect.cause,
                service=outage.service,
                severity=outage.severity,
                title=outage.title,
                started=outage.start,
                detected=outage.start + wait,
                mitigated=mitigated,
                resolved=None if mitigated is None else end + int(random.integers(6, 120)),
                cause=outage.cause,
                caused_by=None,
            )
        )
        self._pass_on(effect, effect.error_rate * outage.passes)

    def _pass_on(self, effect: Effect, rate: float) -> None:
        """Give the callers of a service their part of its trouble."""
        if rate < 0.002:
            return
        for caller in self.services.values():
            for edge in caller.edges:
                if edge.upstream != effect.service:
                    continue
                slow = min(0.5, rate * edge.passes * 0.1) if caller.tier <= 2 else 0.0
                jvm = caller.framework == "apollo"
                self.effects.append(
                    replace(
                        effect,
                        mechanism=f"{effect.service} fails",
                        service=caller.name,
                        version=None,
                        endpoints=(),
                        error_rate=min(0.6, rate * min(edge.calls, 1.0) * edge.passes),
                        shift=effect.shift * 0.4,
                        slow=slow,
                        lift=0.0,
                        faults=(("502", 0.35), ("503", 0.25), ("504", 0.4))
                        if jvm
                        else (("UNAVAILABLE", 0.6), ("DEADLINE_EXCEEDED", 0.4)),
                        upstream=effect.service,
                    )
                )

    def nuisances(self) -> None:
        """Record the rises of callers' mistakes."""
        for it in NUISANCES:
            if it.service in self.services:
                end = it.start + it.minutes
                self.effects.append(
                    Effect(
                        cause=f"{it.service}: {it.mechanism}",
                        mechanism=it.mechanism,
                        service=it.service,
                        start=it.start,
                        full=it.start + it.minutes // 12 + 1,
                        ease=end - it.minutes // 4,
                        end=end,
                        mistake=it.mistake,
                        mistake_rate=it.rate,
                        lift=it.rate,
                    )
                )

    def number(self) -> None:
        """Give incidents their numbers, in the order in which they began."""
        self.incidents.sort(key=lambda incident: (incident.started, incident.service))
        number, ids = 2140, {}
        for incident in self.incidents:
            number += int(self.random.integers(1, 5))
            ids[incident.incident_id] = f"INC-{number}"
        self.incidents = [
            replace(incident, incident_id=ids[incident.incident_id]) for incident in self.incidents
        ]
        self.effects = [
            replace(effect, cause=ids.get(effect.cause, effect.cause)) for effect in self.effects
        ]
