"""The demo's story: what is planted in the last weeks, and what happened by chance before.

Shares are of the 28-day error budget, so that the pages of the small fleet show services that
met, that are at risk and that missed, each for a reason.
"""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import DAY, LENGTH, WINDOW, at, local_minute
from fleetslo.warehouse.demo.rollouts import Harm


@dataclass(frozen=True)
class Outage:
    """Trouble that no rollout caused; ``minutes`` is None while it lasts.

    ``errors`` and ``slow`` are shares of the 28-day budgets, ``lost`` the share of ``sli``
    events that are bad; ``passes`` is how much of it reaches callers.
    """

    service: str
    start: int
    minutes: int | None
    cause: str
    title: str
    errors: float = 0.0
    slow: float = 0.0
    shift: float = 0.0
    severity: str = "sev2"
    regions: tuple[str, ...] = ()
    upstream: str | None = None
    faults: tuple[tuple[str, float], ...] = (("503", 0.7), ("500", 0.3))
    passes: float = 1.0
    lost: float = 0.0


@dataclass(frozen=True)
class Nuisance:
    """A rise of mistakes that callers make: visible, and no fault of the service."""

    service: str
    start: int
    minutes: int
    mistake: str
    rate: float
    mechanism: str


HARMS = (
    Harm("checkout", "errors", at("10-22 13:42"), 96, errors=0.53, endpoint="POST /v1/orders",
         severity="sev2"),
    Harm("search-suggest", "slower", at("10-19 09:20"), 4600, slow=1.05, undo="fix", severity=None),
    Harm("image-resize", "leak", at("10-26 10:05"), 3875, errors=0.24, slow=0.34),
    Harm("home-shelf", "errors", at("10-14 14:10"), 27, errors=0.07, severity="sev4",
         stays_canary=True),
    Harm("podcast-feed", "slower", at("10-28 15:05"), 160, slow=0.05, severity=None),
    Harm("follow-graph", "errors", at("10-06 16:20"), 66, errors=0.16),
)  # fmt: skip

OUTAGES = (
    Outage("payments-gateway", at("10-27 18:08"), 52, "dependency",
           "Card processor times out; authorizations fail", errors=0.30, slow=0.08, shift=9,
           upstream="card-processor", faults=(("504", 0.75), ("502", 0.25)), passes=0.6),
    Outage("user-profile", at("10-12 19:05"), 68, "capacity",
           "user-profile out of database connections in the evening peak", errors=0.78, slow=0.08,
           shift=12, severity="sev1", faults=(("503", 0.55), ("500", 0.45)), passes=0.3),
    Outage("session-store", at("10-08 08:31"), 24, "configuration",
           "Wrong quota pushed to session-store", errors=0.27, faults=(("503", 1.0),),
           passes=0.55),
    Outage("token-issuer", at("10-16 11:17"), 8, "configuration",
           "Signing certificate expired; no tokens issued", errors=0.16, severity="sev1",
           faults=(("INTERNAL", 1.0),), passes=0.35),
    Outage("playlist-indexer", at("10-24 23:40"), 208, "capacity",
           "Index queue backs up after the weekend import", slow=0.06, shift=5, severity="sev3",
           lost=0.72, passes=0.0),
    Outage("search-query", at("10-31 21:26"), None, "unknown",
           "search-query fails part of its requests in Europe", errors=0.11, severity="sev3",
           regions=("europe-west1",), faults=(("500", 0.6), ("504", 0.4))),
    Outage("notifications", at("10-21 06:02"), 88, "capacity",
           "Push workers saturated by a campaign", errors=0.10, shift=7, severity="sev3"),
    Outage("track-metadata", at("10-30 16:43"), 13, "unknown",
           "track-metadata drops requests in us-central1", errors=0.17, severity="sev3",
           regions=("us-central1",), passes=0.25),
    Outage("ads-decision", at("10-06 15:21"), 36, "configuration",
           "Pacing table with a missing market", errors=0.24, severity="sev3",
           faults=(("500", 0.8), ("java.lang.IllegalStateException", 0.2))),
)  # fmt: skip

NUISANCES = (
    Nuisance("ads-decision", at("10-23 10:12"), 205, "429", 0.06, "a client without back-off"),
    Nuisance("user-profile", at("10-29 21:40"), 46, "401", 0.11, "somebody tries leaked passwords"),
    Nuisance("playlist-read", at("10-20 13:30"), 1600, "404", 0.03, "an app asks for removed ids"),
)

_CAPACITY = "{service} saturated at the peak in {region}"
_TITLES = {
    "capacity": (_CAPACITY, "Thread pool of {service} exhausted", "{service} out of connections"),
    "configuration": ("Bad configuration pushed to {service}", "Flag on too early in {service}"),
    "dependency": ("{upstream} slow, {service} times out", "{service} cannot reach {upstream}"),
    "unknown": ("{service} fails in {region}", "Unexplained errors in {service}"),
}  # fmt: skip


def chance(services: tuple[Service, ...], seed: int, until: int) -> tuple[list[Harm], list[Outage]]:
    """Return what goes wrong by chance: in the cast before ``until``, elsewhere to the end."""
    harms: list[Harm] = []
    outages: list[Outage] = []
    told = {harm.service for harm in HARMS} | {outage.service for outage in OUTAGES}
    for service in services:
        if service.part.rpm < 2 or not service.part.squad:
            continue
        random = random_for(seed, "chance", service.name)
        is_cast = service.name in told
        end = until if is_cast or len(services) < 40 else LENGTH - 240
        rate = 0.0078 if len(services) < 40 else 0.0031
        for start in np.sort(random.integers(3 * DAY, end, random.poisson(rate * end / DAY))):
            if random.random() < 0.45 and service.part.deploys > 0.4:
                harms.append(_chance_harm(service, int(start), random))
            else:
                outages.append(_chance_outage(service, int(start), random))
    return _apart(harms), outages


def _apart(harms: list[Harm]) -> list[Harm]:
    """Keep those harms of a service that begin a day after the one before has ended."""
    kept: list[Harm] = []
    for harm in sorted(harms, key=lambda harm: (harm.service, harm.start)):
        before = kept[-1] if kept and kept[-1].service == harm.service else None
        if before is None or harm.start > before.start + before.minutes + DAY:
            kept.append(harm)
    return kept


def _budget_share(random: np.random.Generator) -> float:
    return float(np.clip(random.lognormal(-1.75, 0.85), 0.03, 1.3))


def _severity(share: float, tier: int) -> str:
    weight = share * (1.6 if tier == 1 else 1.0 if tier == 2 else 0.6)
    return (
        "sev1" if weight > 0.9 else "sev2" if weight > 0.3 else "sev3" if weight > 0.08 else "sev4"
    )


def _chance_harm(service: Service, start: int, random: np.random.Generator) -> Harm:
    # Shipped on a working day, between ten and five.
    local = local_minute(start, service.part.zone)
    start += int(random.integers(600, 1000)) - local % DAY
    if (day := local // DAY) >= 5:
        start -= (day - 4) * DAY
    share, kind = (
        _budget_share(random),
        str(random.choice(["errors", "slower", "leak"], p=[0.68, 0.22, 0.1])),
    )
    minutes = {
        "errors": int(random.lognormal(3.9, 0.4)) + 20,
        "slower": int(random.integers(700, 4000)),
        "leak": int(random.integers(1400, 4300)),
    }[kind]
    narrow = kind == "errors" and random.random() < 0.4
    return Harm(
        service=service.name,
        kind=kind,
        start=max(start, DAY),
        minutes=minutes,
        errors=share if kind == "errors" else share * 0.4 if kind == "leak" else 0.0,
        slow=0.0 if kind == "errors" else share,
        undo="fix" if kind == "slower" and random.random() < 0.6 else "rollback",
        endpoint=service.endpoints[-1].name if narrow else None,
        severity=None if kind == "slower" and share < 0.4 else _severity(share, service.tier),
    )


def _chance_outage(service: Service, start: int, random: np.random.Generator) -> Outage:
    share = _budget_share(random)
    external = [edge.upstream for edge in service.edges]
    causes = ["capacity", "configuration", "unknown", *(["dependency"] if external else [])]
    cause = str(random.choice(causes))
    upstream = str(random.choice(external)) if cause == "dependency" else None
    region = str(random.choice([region for region, _ in service.regions]))
    jvm = service.framework == "apollo"
    broken = ("503", "500") if jvm else ("UNAVAILABLE", "INTERNAL")
    late = ("504", "502") if jvm else ("DEADLINE_EXCEEDED", "UNAVAILABLE")
    faults = late if upstream else broken
    titles = _TITLES[cause]
    return Outage(
        service=service.name,
        start=start,
        minutes=int(np.clip(random.lognormal(3.55, 0.6), 6, 300)),
        cause=cause,
        title=titles[int(random.integers(len(titles)))].format(
            service=service.name, region=region, upstream=upstream
        ),
        errors=share,
        slow=share * 0.2 if cause in ("capacity", "dependency") else 0.0,
        shift=float(random.uniform(4, 14)) if cause in ("capacity", "dependency") else 0.0,
        severity=_severity(share, service.tier),
        regions=(region,) if cause in ("unknown", "capacity") and random.random() < 0.6 else (),
        upstream=upstream,
        faults=((faults[0], 0.7), (faults[1], 0.3)),
        passes=float(random.uniform(0.05, 0.5)),
    )


def error_rate(outage: Outage, service: Service, exposure: float) -> float:
    """Return the share of requests that fail at full strength, for the budget it is to spend."""
    here = sum(
        share for region, share in service.regions if region in outage.regions or not outage.regions
    )
    return min(0.93, outage.errors * service.allowed_bad * WINDOW / max(exposure * here, 1))
