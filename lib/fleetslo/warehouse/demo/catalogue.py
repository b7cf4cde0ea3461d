"""The services of the demo fleet: who owns them, what they serve, how they usually behave."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import polars as pl

from fleetslo.warehouse.demo.clock import HISTORY_DAYS, REGIONS, SIZES, Ints, at, moment
from fleetslo.warehouse.demo.names import (
    CAST,
    DOMAINS,
    LONDON,
    MOVES,
    NEW_YORK,
    ROLES,
    SLIS,
    STOCKHOLM,
    STRAY,
    TINY,
    WITHOUT_TELEMETRY,
    Part,
)

_REGION_LETTERS = {region[0]: region for region in REGIONS}
_REGION_SHARES = {
    "e": (1.0,),
    "u": (1.0,),
    "eu": (0.57, 0.43),
    "eua": (0.46, 0.33, 0.21),
    "eus": (0.45, 0.38, 0.17),
}
_FRAMEWORKS = {
    "java": "apollo",
    "scala": "apollo",
    "kotlin": "apollo",
    "go": "grpc-go",
    "python": "grpc-python",
}

# Telemetry that was lost, as (from, to): three days because a deployment dropped the metrics
# configuration, and an afternoon because a collector was down.
_GAPS = {
    "podcast-feed": ("10-09 15:52", "10-12 18:35"),
    "image-resize": ("10-20 12:14", "10-20 17:03"),
}


@dataclass(frozen=True)
class Endpoint:
    """One route: its share of requests, how slow (1/16 octaves) and how fragile it is."""

    name: str
    share: float
    pace: float
    fragility: float


@dataclass(frozen=True)
class Edge:
    """A dependency: calls per request, and how often a failed call fails the request."""

    upstream: str
    calls: float
    passes: float


@dataclass(frozen=True)
class Service:
    """All that is fixed about a service before anything happens to it.

    ``weight`` is requests per observed request (10 where the source is sampled); ``habit`` is
    when its background errors come: ``steady``, ``peak`` or ``nightly``.
    """

    part: Part
    regions: tuple[tuple[str, float], ...]
    endpoints: tuple[Endpoint, ...]
    edges: tuple[Edge, ...]
    framework: str
    quality: str
    weight: int
    habit: str
    version_style: str
    growth: float
    noise_pages: float
    gap: tuple[int, int] | None

    @property
    def name(self) -> str:
        """The service's name."""
        return self.part.name

    @property
    def tier(self) -> int:
        """1 is most critical, 4 least."""
        return self.part.tier

    @property
    def is_jvm(self) -> bool:
        """Whether it runs on a JVM, and so pauses to collect garbage."""
        return self.framework == "apollo"

    @property
    def allowed_bad(self) -> float:
        """The share of failed requests its availability objective allows, as the demo has it."""
        return 0.001 if self.tier <= 2 else 0.005

    @property
    def threshold_s(self) -> float:
        """What counts as slow, as the demo has it."""
        return 0.3 if self.tier <= 2 else 1.0

    def covered(self, minutes: Ints) -> Ints:
        """Return those of the minutes in which telemetry arrived."""
        if self.gap is None:
            return minutes
        return minutes[(minutes < self.gap[0]) | (minutes >= self.gap[1])]


def random_for(seed: int, *what: str) -> np.random.Generator:
    """Return a random source that depends on the seed and on what it is for, nothing else."""
    return np.random.default_rng([seed, *(crc32(text.encode()) for text in what)])


def make_services(size: str, seed: int) -> tuple[Service, ...]:
    """Return the services that send telemetry or stand in the catalogue, sorted by name."""
    count = SIZES[size].services
    if size == "tiny":
        parts = [part for part in CAST if part.name in TINY]
    else:
        parts = [*CAST, STRAY, *_extras(count - len(CAST), seed)]
    callers: dict[str, list[Part]] = {}
    for part in parts:
        for upstream in part.upstreams:
            callers.setdefault(upstream, []).append(part)
    by_name = {part.name: part for part in parts}
    made = [_service(part, by_name, callers, seed) for part in parts]
    return tuple(sorted(made, key=lambda service: service.name))


def _extras(count: int, seed: int) -> list[Part]:
    random = random_for(seed, "extras")
    names = [
        (f"{noun}-{role}", squad, nouns[0])
        for squad, nouns in DOMAINS
        for noun in nouns
        for role in ROLES
    ]
    taken = {part.name for part in (*CAST, STRAY)}
    names = [name for name in names if name[0] not in taken]
    chosen = [names[i] for i in random.permutation(len(names))[:count]] if count > 0 else []
    made: list[Part] = []
    by_squad: dict[str, int] = {}
    for name, squad, system in chosen:
        nth = by_squad[squad] = by_squad.get(squad, 0) + 1
        team = squad if nth <= 8 else f"{squad} {_TEAMS[(nth // 8 - 1) % len(_TEAMS)]}"
        made.append(_extra(name, team, system, made, random))
    return made


_TEAMS = ("Core", "Growth", "Platform", "Insights", "Tools", "Infra")


def _extra(
    name: str, squad: str, system: str, before: list[Part], random: np.random.Generator
) -> Part:
    tier = int(random.choice([1, 2, 3, 4], p=[0.08, 0.27, 0.45, 0.20]))
    noun, _, role = name.rpartition("-")
    rpm = float(np.clip(random.lognormal(3.4 - 0.35 * tier, 1.3), 0.15, 900))
    slowness = 1.0 if tier <= 2 else 2.2
    upstreams = [p.name for p in before if random.random() < 1.6 / max(len(before), 4)][:3]
    if random.random() < 0.3:
        upstreams.append(str(random.choice(["session-store", "user-profile", "track-metadata"])))
    routes = [f"GET /v1/{noun}/{{id}}", f"POST /v1/{noun}", f"{_camel(noun)}.v1/{role.title()}"]
    regions = "eu" if rpm > 20 and random.random() < 0.6 else "e"
    return Part(
        name=name,
        squad=squad,
        system=system,
        tier=tier,
        language=str(
            random.choice(
                ["java", "scala", "kotlin", "go", "python"], p=[0.6, 0.1, 0.08, 0.14, 0.08]
            )
        ),
        zone=str(random.choice([STOCKHOLM, NEW_YORK, LONDON], p=[0.5, 0.35, 0.15])),
        rpm=rpm,
        shape=str(random.choice(["listening", "browsing", "commute", "office", "batch"])),
        regions=regions,
        deploys=float(random.gamma(1.6, 1.3)),
        errors=float(np.clip(random.lognormal(-1.35, 0.75), 0.02, 1.4)),
        slow=float(np.clip(random.lognormal(-1.2, 0.7), 0.02, 1.3)),
        median_ms=float(np.clip(random.lognormal(3.2, 0.7), 3, 90)) * slowness,
        endpoints=tuple(routes[: 1 + int(random.integers(0, 3 if rpm > 5 else 2))]),
        upstreams=tuple(dict.fromkeys(upstreams)),
        lifecycle=str(
            random.choice(["production", "experimental", "deprecated"], p=[0.9, 0.06, 0.04])
        ),
    )


def _camel(words: str) -> str:
    return "".join(word.title() for word in words.split("-"))


def _service(
    part: Part, by_name: dict[str, Part], callers: dict[str, list[Part]], seed: int
) -> Service:
    random = random_for(seed, "service", part.name)
    shares = np.sort(random.dirichlet(np.full(len(part.endpoints), 2.5)))[::-1] * 0.9
    shares = shares + 0.1 / len(shares)
    pace = random.normal(0, 5, len(shares)) + np.array(
        [7.0 if route.startswith(("POST", "PUT")) else 0.0 for route in part.endpoints]
    )
    fragility = random.lognormal(0, 0.6, len(shares))
    pace, fragility = pace - pace @ shares, fragility / (fragility @ shares)
    endpoints = tuple(
        Endpoint(name, float(share), float(slower), float(weaker))
        for name, share, slower, weaker in zip(part.endpoints, shares, pace, fragility, strict=True)
    )
    edges = []
    for upstream in part.upstreams:
        calls = float(random.uniform(0.4, 1.2))
        if upstream in by_name and part.rpm:
            fair = 0.7 * by_name[upstream].rpm / len(callers[upstream]) / part.rpm
            calls = min(calls, max(fair, 0.02))
        edges.append(Edge(upstream, calls, float(random.uniform(0.25, 0.8))))
    is_extra = part not in CAST and part.name != STRAY.name
    sampled = part.name == "ads-decision" or (is_extra and random.random() < 0.04)
    return Service(
        part=part,
        regions=tuple(
            (_REGION_LETTERS[letter], share)
            for letter, share in zip(part.regions, _REGION_SHARES[part.regions], strict=True)
        ),
        endpoints=endpoints,
        edges=tuple(edges),
        framework=_FRAMEWORKS[part.language],
        quality="sampled" if sampled else "approximate" if part.name == "lyrics" else "exact",
        weight=10 if sampled else 1,
        habit=str(random.choice(["steady", "peak", "nightly"], p=[0.45, 0.4, 0.15])),
        version_style=str(random.choice(["semver", "date", "build"], p=[0.6, 0.2, 0.2])),
        growth=-0.45 if part.lifecycle == "deprecated" else float(random.normal(0.06, 0.09)),
        noise_pages=3.2 if part.name == "notifications" else float(random.gamma(0.6, 0.5)),
        gap=(at(_GAPS[part.name][0]), at(_GAPS[part.name][1])) if part.name in _GAPS else None,
    )


def sends_telemetry(service: Service) -> bool:
    """Return whether a service reports anything."""
    return service.name not in WITHOUT_TELEMETRY


def service_sli(service: Service) -> tuple[str, int, float] | None:
    """Return (name, events a minute, share of budget usually spent) of its other SLI, or None."""
    return SLIS.get(service.name)


def services_frame(services: tuple[Service, ...], seed: int) -> pl.DataFrame:
    """Return the rows of the ``services`` table: one per service and stretch of ownership."""
    rows = []
    for service in services:
        if service.name == STRAY.name:
            continue
        part, random = service.part, random_for(seed, "ownership", service.name)
        since = moment(-1440 * int(random.integers(60, 1400)))
        stretch = {
            "service": part.name,
            "squad": part.squad,
            "system": part.system,
            "tier": part.tier,
            "language": part.language,
            "framework": service.framework,
            "lifecycle": part.lifecycle,
            "oncall_timezone": part.zone,
            "valid_from": since,
            "valid_to": None,
        }
        move = MOVES.get(part.name)
        if move is None and part not in CAST and random.random() < 0.05:
            day = int(random.integers(20, HISTORY_DAYS - 5)) * 1440
            former = DOMAINS[int(random.integers(len(DOMAINS)))][0]
            rows.append(stretch | {"squad": former, "valid_to": moment(day)})
            stretch |= {"valid_from": moment(day)}
        elif move is not None:
            day = at(move[1])
            rows.append(stretch | {"squad": move[0], "valid_to": moment(day)})
            stretch |= {"valid_from": moment(day)}
        rows.append(stretch)
    return pl.DataFrame(rows, schema_overrides={"valid_to": pl.Datetime("us", "UTC")})
