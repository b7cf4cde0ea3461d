"""The objectives in force, and what they ask a warehouse to count."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from fleetslo import resources
from fleetslo.reliability.objectives import Objective, read_objectives, resolve
from fleetslo.settings import Settings
from fleetslo.warehouse.rollups import Measure

if TYPE_CHECKING:
    from fleetslo.warehouse.demo.making import DemoReport

Progress = Callable[[str, int, int], None]
_DEMO = "objectives/demo/"


def objectives_in_force() -> list[Objective]:
    """Return the objectives as written: the project's own files over the packaged ones.

    Raises:
        ObjectiveError: a document is wrong.
    """
    return read_objectives(objective_files())


def objective_files() -> Iterator[Path]:
    """Yield the files of documents in force: the project's own over the packaged ones.

    Those about the demo's services are left out of a project that has objectives of its own.
    """
    own, *theirs = resources.folders("queries")
    is_own = bool(theirs) and (own / "objectives").is_dir()
    for name, path in resources.listing("queries", "objectives/**/*.y*ml"):
        if not (is_own and name.startswith(_DEMO)):
            yield path


def measures_of(objectives: Iterable[Objective]) -> list[Measure]:
    """Return what ``rollup`` has to count for these objectives, each written for one service.

    Of a composite that is each of its members; what cannot be measured here is left out.
    """
    grouped: dict[tuple[str, str], list[Objective]] = {}
    for objective in objectives:
        for one in objective.measured:
            grouped.setdefault((one.name, one.selector.definition), []).append(one)
    return [_measure(group) for group in grouped.values()]


def _measure(group: Sequence[Objective]) -> Measure:
    selector = group[0].selector
    return Measure(
        objective=group[0].name,
        definition=selector.definition,
        services=tuple(dict.fromkeys(objective.service for objective in group)),
        requests=selector.requests,
        within_s=selector.within_s,
        endpoints=selector.endpoints,
        regions=selector.regions,
        versions=selector.versions,
        sli=selector.sli,
        op=selector.op,
    )


def make_demo(
    settings: Settings, size: str, seed: int, progress: Progress | None = None
) -> "DemoReport":
    """Make the demo fleet in the warehouse of the settings and return what was made."""
    from fleetslo.warehouse.demo import making

    written = objectives_in_force()

    def measures(services: pl.DataFrame) -> list[Measure]:
        return measures_of(resolve(written, services.iter_rows(named=True)))

    return making.make_demo(settings.warehouse, size, seed, measures, progress)
