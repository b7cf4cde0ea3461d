"""Rollouts of the demo fleet: who ships when, region by region, and what went wrong.

A service ships in its squad's working hours. A planted harm takes the place of an ordinary
rollout; what it does to requests is an effect of the version that carries it.
"""

from dataclasses import dataclass, replace

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import DAY, HISTORY_DAYS, LENGTH, WINDOW, local_minute, moment
from fleetslo.warehouse.demo.events import Effect
from fleetslo.warehouse.demo.versions import Version, Versions

_WEEKDAYS = (0.92, 1.12, 1.16, 1.12, 0.66, 0.015, 0.01)


@dataclass(frozen=True)
class Step:
    """One region's share of a rollout; ``finish`` is None while it goes on."""

    region: str
    share: float
    start: int
    finish: int | None


@dataclass(frozen=True)
class Rollout:
    """One change to production, or the attempt."""

    rollout_id: str
    service: str
    version: str
    previous: str
    strategy: str
    committed: int
    steps: tuple[Step, ...]
    outcome: str
    rollback_of: str | None = None
    remediates: str | None = None

    @property
    def start(self) -> int:
        """The minute at which its first step began."""
        return self.steps[0].start

    @property
    def end(self) -> int:
        """The minute at which its last step ended, or the end of the fleet."""
        return max(LENGTH if step.finish is None else step.finish for step in self.steps)


@dataclass(frozen=True)
class Harm:
    """A rollout that is planted to do harm.

    ``kind`` is ``errors``, ``slower`` or ``leak``; ``minutes`` pass from its start until it is
    undone (``undo``: ``rollback`` or ``fix``). ``errors`` and ``slow`` are the shares of the
    28-day budgets that it spends. ``stays_canary``: it never gets further than the first step.
    """

    service: str
    kind: str
    start: int
    minutes: int
    errors: float = 0.0
    slow: float = 0.0
    undo: str = "rollback"
    endpoint: str | None = None
    severity: str | None = "sev3"
    stays_canary: bool = False


@dataclass(frozen=True)
class Releases:
    """All that a service shipped: rollouts in order, versions by name, effects by harm."""

    rollouts: tuple[Rollout, ...]
    versions: dict[str, Version]
    first: str
    effects: dict[Harm, tuple[Rollout, Effect]]


def plan_releases(service: Service, harms: list[Harm], seed: int, *, last: bool) -> Releases:
    """Return what a service ships over the history.

    Args:
        service: who ships.
        harms: the harmful rollouts to plant.
        seed: the fleet's.
        last: whether one of its rollouts is still in progress when the fleet ends.
    """
    return _Planner(service, seed).plan(sorted(harms, key=lambda harm: harm.start), last)


class _Planner:
    """Goes through a service's history and ships."""

    def __init__(self, service: Service, seed: int) -> None:
        self.service = service
        self.random = random_for(seed, "rollouts", service.name)
        self.versions = Versions(service, self.random)
        self.rollouts: list[Rollout] = []
        self.effects: dict[Harm, tuple[Rollout, Effect]] = {}
        weights = [0.70, 0.22, 0.08] if service.tier <= 2 else [0.30, 0.58, 0.12]
        self.strategy = str(self.random.choice(["canary", "rolling", "blue-green"], p=weights))

    def plan(self, harms: list[Harm], last: bool) -> Releases:
        first = self.versions.current
        starts = [(start, None) for start in self._ordinary_starts(harms)]
        planned: list[tuple[int, Harm | None]] = [*starts, *((harm.start, harm) for harm in harms)]
        free_from = 0
        until = LENGTH - 2 * DAY if last else LENGTH
        for start, harm in sorted(planned, key=lambda item: item[0]):
            if start >= until:
                continue
            if harm is None and start < free_from:
                continue
            if harm is None:
                self._ship(start)
            else:
                self._harm(harm)
            free_from = self.rollouts[-1].end + 30
        if last:
            self._leave_open()
        return Releases(tuple(self.rollouts), self.versions.made, first, self.effects)

    def _ordinary_starts(self, harms: list[Harm]) -> list[int]:
        starts: list[int] = []
        for day in range(HISTORY_DAYS):
            weekday = moment(day * DAY).weekday()
            count = self.random.poisson(self.service.part.deploys / 5 * _WEEKDAYS[weekday])
            # People ship after the morning's meetings and before they want to go home.
            hours = np.clip(self.random.normal(13.2, 2.2, count), 8.7, 18.4)
            for hour in hours:
                utc_shift = local_minute(day * DAY + 720, self.service.part.zone) % DAY - 720
                starts.append(day * DAY + int(hour * 60) - utc_shift)
        quiet = [(harm.start - 360, harm.start + harm.minutes + 240) for harm in harms]
        return sorted(
            start
            for start in starts
            if 0 < start < LENGTH - 400 and not any(a < start < b for a, b in quiet)
        )

    def _rollout(self, start: int, steps: list[Step], outcome: str, strategy: str) -> Rollout:
        name = f"{self.service.name}-{len(self.rollouts) + 1:04d}"
        age = int(np.clip(self.random.lognormal(6.3, 1.15), 18, 14 * DAY))
        return Rollout(
            rollout_id=name,
            service=self.service.name,
            version=self.versions.current,
            previous=self.versions.previous,
            strategy=strategy,
            committed=start - age,
            steps=tuple(steps),
            outcome=outcome,
        )

    def _steps(self, start: int) -> list[Step]:
        random, steps, now = self.random, list[Step](), start
        for nth, (region, _) in enumerate(self.service.regions):
            if self.strategy == "canary":
                share = 0.05 if nth == 0 else 0.1
                watch = int(random.integers(18, 42) if nth == 0 else random.integers(8, 18))
                steps.append(Step(region, share, now, now + watch))
                now += watch + int(random.integers(1, 4))
            length = int(
                random.integers(1, 3) if self.strategy == "blue-green" else random.integers(6, 17)
            )
            steps.append(Step(region, 1.0, now, now + length))
            now += length + int(random.integers(4, 22))
        return steps

    def _ship(self, start: int) -> None:
        luck = self.random.random()
        if luck < 0.035:
            # The pipeline failed before anything was served.
            self.versions.advance(start)
            region = self.service.regions[0][0]
            step = Step(region, 0.0, start, start + int(self.random.integers(3, 14)))
            self.rollouts.append(self._rollout(start, [step], "failed", self.strategy))
            self.versions.retreat()
            return
        self.versions.advance(start)
        steps = self._steps(start)
        if luck < 0.06:
            # A canary alarm that turned out to be nothing.
            first = steps[0]
            finish = first.start + max(6, (first.finish or first.start) - first.start)
            shipped = self._rollout(
                start, [replace(first, finish=finish)], "rolled_back", self.strategy
            )
            self.rollouts.append(shipped)
            self._roll_back(shipped, finish + int(self.random.integers(1, 5)))
            return
        self.rollouts.append(self._rollout(start, steps, "succeeded", self.strategy))

    def _roll_back(self, bad: Rollout, start: int) -> None:
        length = int(self.random.integers(2, 6))
        regions = dict.fromkeys(step.region for step in bad.steps)
        self.versions.retreat()
        steps = [Step(region, 1.0, start, start + length) for region in regions]
        undone = self._rollout(start, steps, "succeeded", "rollback")
        self.rollouts.append(
            replace(undone, previous=bad.version, committed=start - 2, rollback_of=bad.rollout_id)
        )

    def _harm(self, harm: Harm) -> None:
        self.versions.advance(harm.start)
        steps = self._steps(harm.start)
        undo = min(harm.start + harm.minutes, LENGTH - 60)
        if harm.stays_canary:
            steps = steps[:1]
            steps = [replace(steps[0], finish=undo)]
        kept = [
            replace(step, finish=min(step.finish or undo, undo))
            for step in steps
            if step.start < undo
        ]
        outcome = "rolled_back" if harm.undo == "rollback" else "succeeded"
        bad = self._rollout(harm.start, kept, outcome, self.strategy)
        self.rollouts.append(bad)
        if harm.undo == "rollback":
            self._roll_back(bad, undo)
        else:
            self.versions.advance(undo)
            mended = self._rollout(undo, self._steps(undo), "succeeded", self.strategy)
            self.rollouts.append(replace(mended, committed=undo - 95, remediates=bad.rollout_id))
        self.effects[harm] = (bad, self._effect(harm, bad, self.rollouts[-1].end))

    def _effect(self, harm: Harm, bad: Rollout, end: int) -> Effect:
        whole = self._exposed(bad, end)
        allowed, endpoint = self.service.allowed_bad, harm.endpoint
        share = sum(e.share for e in self.service.endpoints if endpoint in (None, e.name))
        leak = harm.kind == "leak"
        exposure = whole * share * (0.5 if leak else 0.84)
        return Effect(
            cause=bad.rollout_id,
            mechanism={
                "errors": "a deployment that fails requests",
                "slower": "a deployment that is slower",
                "leak": "a deployment that leaks memory",
            }[harm.kind],
            service=harm.service,
            start=harm.start,
            full=end if leak else harm.start + 1,
            ease=end,
            end=end,
            version=bad.version,
            endpoints=(endpoint,) if endpoint else (),
            error_rate=min(0.75, harm.errors * allowed * WINDOW / exposure),
            slow=min(0.35, harm.slow * 0.01 * WINDOW / exposure),
            shift=0.0 if harm.kind == "errors" else 3.0 if leak else 6.0,
            faults=_harm_faults(harm, self.service, self.random),
        )

    def _exposed(self, bad: Rollout, end: int) -> float:
        """Return the minutes of all traffic that the version amounts to while it serves."""
        shares = dict(self.service.regions)
        total, last_end = 0.0, {step.region: step for step in bad.steps}
        for step in bad.steps:
            until = end if last_end[step.region] is step else step.finish or end
            total += shares[step.region] * step.share * max(until - step.start, 1)
        return max(total, 1.0)

    def _leave_open(self) -> None:
        region = self.service.regions[0][0]
        start = LENGTH - 2 * DAY + int(self.random.integers(840, 940))
        self.versions.advance(start)
        step = Step(region, 0.1, start, None)
        self.rollouts.append(self._rollout(start, [step], "in_progress", "canary"))


def _harm_faults(
    harm: Harm, service: Service, random: np.random.Generator
) -> tuple[tuple[str, float], ...]:
    if harm.kind == "leak":
        return (("java.lang.OutOfMemoryError", 0.6), ("503", 0.4))
    if service.framework != "apollo":
        return (("INTERNAL", 0.9), ("UNKNOWN", 0.1))
    choices = (
        (("java.lang.NullPointerException", 0.7), ("500", 0.3)),
        (("500", 0.8), ("java.lang.IllegalStateException", 0.2)),
        (("com.fasterxml.jackson.databind.JsonMappingException", 0.85), ("500", 0.15)),
    )
    return choices[int(random.integers(len(choices)))]
