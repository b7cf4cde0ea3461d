"""The planted truth of a demo fleet, for scoring what finds causes in its data."""

import json
from pathlib import Path
from typing import Any

from fleetslo.warehouse.demo.catalogue import sends_telemetry
from fleetslo.warehouse.demo.clock import DAY, END, LENGTH, moment
from fleetslo.warehouse.demo.events import Effect
from fleetslo.warehouse.demo.plan import Plan

TRUTH = "truth.json"


def truth(plan: Plan, size: str) -> dict[str, Any]:
    """Return what was planted, as JSON can hold it.

    ``causes``: one entry per cause and service that it harmed, with mechanism, stretch of time,
    strength and the errors seen; how many bad requests each added to which minute stands in the
    files ``truth-minutes-*.parquet``. ``harmful_rollouts`` and ``harmless_rollouts`` name every
    rollout that served requests.
    """
    first = LENGTH - plan.size.days * DAY
    effects = [effect for effect in plan.effects if effect.end > first]
    harmful = {
        rollout.rollout_id
        for releases in plan.releases.values()
        for rollout, _ in releases.effects.values()
    }
    served = [
        rollout
        for releases in plan.releases.values()
        for rollout in releases.rollouts
        if rollout.start >= first and any(step.share > 0 for step in rollout.steps)
    ]
    return {
        "size": size,
        "seed": plan.seed,
        "start": _text(first),
        "end": END.isoformat(),
        "causes": [_cause(effect) for effect in sorted(effects, key=_in_time)],
        "incidents": [
            {"incident_id": it.incident_id, "service": it.service, "caused_by": it.caused_by}
            for it in plan.incidents
            if it.started >= first
        ],
        "harmful_rollouts": sorted(
            rollout.rollout_id for rollout in served if rollout.rollout_id in harmful
        ),
        "harmless_rollouts": sorted(
            rollout.rollout_id for rollout in served if rollout.rollout_id not in harmful
        ),
        "upgrades": _upgrades(plan, first),
        "gaps": [
            {"service": service.name, "start": _text(service.gap[0]), "end": _text(service.gap[1])}
            for service in plan.services
            if service.gap is not None
        ],
        "without_telemetry": [it.name for it in plan.services if not sends_telemetry(it)],
        "not_in_catalogue": [it.name for it in plan.services if not it.part.squad],
        "sampled": [it.name for it in plan.services if it.quality == "sampled"],
        "approximate": [it.name for it in plan.services if it.quality == "approximate"],
    }


def _in_time(effect: Effect) -> tuple[int, str, str]:
    return effect.start, effect.cause, effect.service


def _text(minute: int) -> str:
    return moment(minute).isoformat()


def _cause(effect: Effect) -> dict[str, Any]:
    kind = "sli" if effect.sli else "mistakes of callers" if effect.mistake else "requests"
    return {
        "cause": effect.cause,
        "service": effect.service,
        "mechanism": effect.mechanism,
        "harms": kind,
        "start": _text(effect.start),
        "full": _text(effect.full),
        "ease": _text(effect.ease),
        "end": _text(effect.end),
        "version": effect.version,
        "regions": list(effect.regions),
        "endpoints": list(effect.endpoints),
        "error_rate": round(effect.mistake_rate or effect.error_rate, 5),
        "slow_rate": round(effect.slow, 5),
        "shift_buckets": round(effect.shift, 2),
        "errors": [effect.mistake] if effect.mistake else [error for error, _ in effect.faults],
        "upstream": effect.upstream,
    }


def _upgrades(plan: Plan, first: int) -> list[dict[str, Any]]:
    """Return the rollouts that brought a service to another version of its framework."""
    found = []
    for releases in plan.releases.values():
        stack = releases.versions[releases.first].framework_version
        for rollout in releases.rollouts:
            version = releases.versions[rollout.version]
            if rollout.outcome != "succeeded" or version.framework_version == stack:
                continue
            if rollout.start >= first:
                found.append(
                    {
                        "service": rollout.service,
                        "rollout_id": rollout.rollout_id,
                        "start": _text(rollout.start),
                        "from": stack,
                        "to": version.framework_version,
                        "runtime": version.runtime,
                    }
                )
            stack = version.framework_version
    return sorted(found, key=lambda it: (it["start"], it["service"]))


def write_truth(folder: Path, plan: Plan, size: str) -> Path:
    """Write the planted truth into a folder and return its file."""
    path = folder / TRUTH
    text = json.dumps(truth(plan, size), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path
