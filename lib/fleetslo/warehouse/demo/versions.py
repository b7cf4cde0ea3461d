"""Versions of the demo's services: how they are numbered and what they run on."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service
from fleetslo.warehouse.demo.clock import DAY, moment

# What a service ran on before it took the upgrade that rolls through the fleet, and after.
STACKS = {
    "apollo": (("java 21.0.5", "1.18.2"), ("java 21.0.8", "1.20.0")),
    "grpc-go": (("go 1.24.6", "1.74.2"), ("go 1.25.3", "1.76.0")),
    "grpc-python": (("python 3.12.11", "1.73.1"), ("python 3.13.9", "1.76.0")),
}


@dataclass(frozen=True)
class Version:
    """One build: its stack, and how it differs by chance (1/16 octaves, and a factor on errors)."""

    name: str
    runtime: str
    framework_version: str
    pace: float
    errors: float


class Versions:
    """The builds that a service makes one after the other."""

    def __init__(self, service: Service, random: np.random.Generator) -> None:
        self.service, self.random = service, random
        self.style = service.version_style
        # The upgrade reaches most services between seven and one weeks before the end.
        self.upgrade = int((180 - random.uniform(6, 50)) * DAY)
        if random.random() < 0.12:
            self.upgrade = 181 * DAY
        self.major, self.minor = int(random.integers(1, 9)), int(random.integers(0, 60))
        self.patch, self.build = int(random.integers(0, 4)), int(random.integers(900, 24000))
        self.day, self.nth = "", 0
        self.made: dict[str, Version] = {}
        self.live: list[str] = []
        self.advance(-3 * DAY)

    @property
    def current(self) -> str:
        """The version shipped last."""
        return self.live[-1]

    @property
    def previous(self) -> str:
        """The version before that."""
        return self.live[-2] if len(self.live) > 1 else self.live[-1]

    def advance(self, minute: int) -> None:
        """Build the next version."""
        runtime, framework = STACKS[self.service.framework][int(minute >= self.upgrade)]
        version = Version(
            name=self._number(minute),
            runtime=runtime,
            framework_version=framework,
            pace=float(self.random.standard_t(3) * 0.35),
            errors=float(self.random.lognormal(0, 0.12)),
        )
        self.made[version.name] = version
        self.live.append(version.name)

    def retreat(self) -> None:
        """Go back to the version before."""
        self.live.pop()

    def _number(self, minute: int) -> str:
        if self.style == "build":
            self.build += int(self.random.integers(1, 40))
            return f"{self.build}"
        if self.style == "date":
            day = moment(minute).strftime("%Y.%m.%d")
            self.nth = self.nth + 1 if day == self.day else 1
            self.day = day
            return f"{day}-{self.nth}"
        luck = self.random.random()
        if luck < 0.012:
            self.major, self.minor, self.patch = self.major + 1, 0, 0
        elif luck < 0.6:
            self.minor, self.patch = self.minor + 1, 0
        else:
            self.patch += 1
        return f"{self.major}.{self.minor}.{self.patch}"
