"""Makes a fleet that looks like a real one, in a warehouse of its own, with the truth beside it.

::

    demo                         folder, refusals, one rename at the end
    ├── workers             parts of the fleet, two processes at a time
    │   └── writing         one part: rows of its services into day partitions
    │       ├── service     requests and errors of one service, at every resolution
    │       │   └── series, latency, faults, slo, background, …
    │       ├── calls       calls to its dependencies
    │       └── runtimes    its processes, and SLIs that are not requests
    ├── plan                who ships what, what breaks, who suffers, who is woken
    │   └── story, rollouts, pages, catalogue, names
    ├── truth               what was planted
    └── notes               what the folder remembers
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fleetslo.errors import ParameterError, SettingsError, WarehouseError, nearest
from fleetslo.files import writing
from fleetslo.warehouse.base import Progress
from fleetslo.warehouse.demo.catalogue import sends_telemetry
from fleetslo.warehouse.demo.clock import SIZES
from fleetslo.warehouse.demo.notes import note_all
from fleetslo.warehouse.demo.plan import Plan, make_plan
from fleetslo.warehouse.demo.truth import write_truth
from fleetslo.warehouse.demo.workers import make_parts, parts_of
from fleetslo.warehouse.demo.writing import write_events
from fleetslo.warehouse.journal import locked
from fleetslo.warehouse.layout import META_FILE, Layout
from fleetslo.warehouse.measures import Measure

Measures = Callable[[pl.DataFrame], Sequence[Measure]]


@dataclass(frozen=True)
class DemoReport:
    """What was made: where, how much, and the file with the planted truth."""

    folder: Path
    size: str
    seed: int
    services: int
    rows: int
    bytes: int
    truth: Path


def make_demo(
    url_or_folder: str | Path,
    size: str = "small",
    seed: int = 1,
    measures: Measures | None = None,
    progress: Progress | None = None,
    *,
    processes: int = 2,
) -> DemoReport:
    """Make a demo fleet in a folder and return what was made.

    The same size, seed and measures give the same bytes. An earlier demo in the folder is
    replaced; until the new one is whole, the folder is as it was.

    Args:
        url_or_folder: ``duckdb:///path/to/folder``, or the folder.
        size: ``small`` (24 services), ``medium`` (200), ``large`` (1,000); ``tiny`` (4) is for
            tests.
        seed: of everything random.
        measures: says what objectives count, given the services and who owns them now; None is
            nothing.
        progress: called with (what, services done, services in all).
        processes: how many parts of the fleet are made at a time.

    Raises:
        ParameterError: there is no such size, or the seed is negative.
        SettingsError: the address is not a folder's.
        WarehouseError: the folder holds data that the demo did not make.
        OutputError: the folder cannot be written.
    """
    if size not in SIZES:
        raise ParameterError(
            f"there is no size {size!r}.{nearest(size, list(SIZES))} Sizes: {', '.join(SIZES)}"
        )
    if seed < 0:
        raise ParameterError(f"seed {seed} is negative; give a whole number from 0 on")
    folder = _folder(url_or_folder)
    _refuse_foreign(folder)
    plan = make_plan(size, seed)
    owned = plan.catalogue.filter(pl.col("valid_to").is_null())
    counted = list(measures(owned)) if measures is not None else []
    beside = folder.with_name(f".{folder.name}.making")
    with writing(folder):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            rows = _make(beside, plan, size, counted, progress, processes)
            _put(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return DemoReport(
        folder=folder,
        size=size,
        seed=seed,
        services=sum(sends_telemetry(service) for service in plan.services),
        rows=rows,
        bytes=held,
        truth=folder / "truth.json",
    )


def _folder(url_or_folder: str | Path) -> Path:
    text = str(url_or_folder)
    if "://" in text and not text.startswith("duckdb://"):
        raise SettingsError(
            f"the demo is made in a folder, not in {text}; write duckdb:///path/to/folder"
        )
    return Path(text.removeprefix("duckdb://")).expanduser().absolute()


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder with anything in it that the demo did not make."""
    layout = Layout(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if layout.exists():
        meta = layout.meta
        is_empty = not any(folder.glob("*/**/*.parquet"))
        if (meta.get("demo") or is_empty) and not meta["loads"]:
            return
    raise WarehouseError(
        f"{folder} holds data that the demo did not make; give another folder "
        "(--warehouse duckdb:///path/to/folder), or move this one away"
    )


def _make(
    folder: Path,
    plan: Plan,
    size: str,
    measures: list[Measure],
    progress: Progress | None,
    processes: int,
) -> int:
    parts = parts_of(plan, folder, measures)
    total = sum(len(part.services) for part in parts)
    made = list[str]()

    def tell(service: str) -> None:
        made.append(service)
        if progress is not None:
            progress("make services", len(made), total)

    if progress is not None:
        progress("make services", 0, total)
    rows = make_parts(parts, processes, tell)
    layout = Layout(folder)
    rows += write_events(layout, plan)
    write_truth(folder, plan, size)
    note_all(layout, plan.size, plan.seed, size, measures)
    return rows


def _put(beside: Path, folder: Path) -> None:
    """Put a new folder in the place of an old one."""
    if not folder.exists():
        beside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with ExitStack() as stack:
        if (folder / META_FILE).exists():
            stack.enter_context(locked(Layout(folder)))
        folder.rename(old)
        beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
