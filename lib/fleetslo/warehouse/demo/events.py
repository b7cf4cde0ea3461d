"""What happens to the demo fleet: effects, incidents, and the words they are told in.

An effect is the cause of extra bad requests. Everything planted is an effect, so that the truth
can be written down beside the data.
"""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.clock import Floats, Ints

# The faults of a service in a usual week: (error, whether an upstream caused it, weight).
JVM_FAULTS = (
    ("500", False, 0.30),
    ("503", False, 0.14),
    ("java.lang.NullPointerException", False, 0.10),
    ("java.util.concurrent.TimeoutException", True, 0.16),
    ("504", True, 0.16),
    ("502", True, 0.09),
    ("java.util.concurrent.RejectedExecutionException", False, 0.05),
)
GRPC_FAULTS = (
    ("INTERNAL", False, 0.28),
    ("UNAVAILABLE", True, 0.30),
    ("DEADLINE_EXCEEDED", True, 0.27),
    ("RESOURCE_EXHAUSTED", False, 0.08),
    ("UNKNOWN", False, 0.07),
)
# Mistakes of callers, which are not faults: (error, share of requests).
JVM_MISTAKES = (("404", 0.011), ("401", 0.0030), ("400", 0.0022), ("499", 0.0014), ("429", 0.0006))
GRPC_MISTAKES = (("NOT_FOUND", 0.009), ("UNAUTHENTICATED", 0.002), ("CANCELLED", 0.0016))


@dataclass(frozen=True)
class Effect:
    """One cause's harm to one service; its strength follows a trapezoid, or a ramp.

    Attributes:
        cause: the incident or rollout it comes from, or a name of its own.
        mechanism: what went wrong, in a few words.
        service: who suffers.
        start: where it begins, in minutes since ORIGIN, as are ``full``, where it has its full
            strength, ``ease``, where it begins to ease, and ``end``.
        version: only requests that this version serves; None means all.
        regions: only these; () means all. So with ``endpoints``.
        error_rate: the share of requests that fail at full strength.
        shift: how much slower requests get, in 1/16 octaves.
        slow: the extra share of successful requests that are slower than the threshold.
        lift: how many more requests come (0.3 is 30 %).
        faults: the errors seen, each with its weight.
        upstream: the dependency that failed, or None.
        mistake: a caller's error that rises by ``mistake_rate``, or None.
        sli: whether it is the service's other indicator that suffers.
    """

    cause: str
    mechanism: str
    service: str
    start: int
    full: int
    ease: int
    end: int
    version: str | None = None
    regions: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    error_rate: float = 0.0
    shift: float = 0.0
    slow: float = 0.0
    lift: float = 0.0
    faults: tuple[tuple[str, float], ...] = (("500", 1.0),)
    upstream: str | None = None
    mistake: str | None = None
    mistake_rate: float = 0.0
    sli: bool = False

    def strength(self, minutes: Ints) -> Floats:
        """Return how strong it is at each minute, 0 to 1; it wavers a little, as outages do."""
        rise = (minutes - self.start + 0.5) / max(self.full - self.start, 1)
        fall = (self.end - minutes - 0.5) / max(self.end - self.ease, 1)
        level = np.clip(np.minimum(rise, fall), 0, 1)
        waver = 1 - 0.16 * (1 + np.sin(minutes * 0.61) * np.sin(minutes * 0.23 + self.start))
        inside: Floats = level * np.where(level >= 1, waver, 1.0)
        return inside

    @property
    def exposure(self) -> float:
        """Minutes of full strength that the effect amounts to."""
        return float(self.strength(np.arange(self.start, self.end)).sum())

    def touches(self, region: str, endpoint: str) -> bool:
        """Return whether requests to an endpoint in a region suffer from it."""
        here = not self.regions or region in self.regions
        return here and (not self.endpoints or endpoint in self.endpoints)


@dataclass(frozen=True)
class Incident:
    """One incident as people wrote it down; minutes since ORIGIN, ``None`` while it lasts."""

    incident_id: str
    service: str
    severity: str
    title: str
    started: int
    detected: int
    mitigated: int | None
    resolved: int | None
    cause: str
    caused_by: str | None
