"""How fast reports are made: ours, papermill with nbconvert, and a loop without notebooks.

``python -m tests.bench.factory 200`` says how many service reports of the small fleet. Ours ask what
they need once for all, as ``fleetslo run`` does, and that is in their time; papermill's and the
loop's each ask the warehouse. Then ours do so, too, which compares the engines alone.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.bench.__main__ import END, TOOL, Peak, environ, fleet_home, tell

# papermill takes long enough that a few say how long.
PEERS = 6
SOME = 48
"""Reports that each ask the warehouse, which is not how a batch is run."""


def plan(count: int) -> list[tuple[str, str]]:
    """Service and last day of each report: every service of the fleet, then all a day earlier."""
    from fleetslo.fleet import open_fleet

    fleet = open_fleet()
    services = sorted(fleet.services(fleet.period("28d", END))["service"])
    last = date.fromisoformat(END)
    return [
        (services[n % len(services)], f"{last - timedelta(days=n // len(services))}")
        for n in range(count)
    ]


def ours(count: int, *, shares: bool) -> None:
    """A batch of two at a time, questions, pages, site and all; or one that asks nothing for all."""
    from fleetslo.fleet import Fleet, open_fleet
    from fleetslo.reports.batch import run_batch
    from fleetslo.reports.jobs import Silent
    from fleetslo.reports.questions import ask_beforehand
    from fleetslo.reports.schedule import plan_jobs, read_schedule
    from fleetslo.reports.scheduling.subjects import Subjects
    from fleetslo.settings import load_settings
    from fleetslo.warehouse.extracts import extracted

    by_day: dict[str, set[str]] = {}
    for service, day in plan(count):
        by_day.setdefault(day, set()).add(service)
    fleet = open_fleet()
    jobs = [
        job
        for day, services in by_day.items()
        for job in plan_jobs(
            read_schedule(), as_of=day, subjects=Subjects(fleet, day), only=["service_slo"]
        )
        if job.service in services
    ]
    settings = load_settings({"jobs": 2}).settings
    if not shares:
        run_batch(jobs, settings)
        return
    with extracted(settings.home, fleet.warehouse, "bench") as extracts:
        ask_beforehand(jobs, Fleet(settings, extracts), extracts, settings, Silent(), print)
        run_batch(jobs, settings.model_copy(update={"batch": extracts.folder}))


def loop(count: int) -> None:
    """The same figures and pages in one process, nothing imported or prepared twice."""
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell

    from fleetslo.reports.html import render
    from fleetslo.resources import packaged

    InteractiveShell.instance()
    source = packaged("notebooks") / "reports/service_slo.ipynb"
    home = Path(os.environ["FLEETSLO_HOME"])
    for service, day in plan(count):
        document = nbformat.read(source, as_version=4)
        space: dict[str, Any] = {}
        for cell in document.cells:
            if cell.cell_type == "code":
                cell.outputs = list(outputs_of(cell.source, space))
                if "parameters" in cell.metadata.get("tags", []):
                    space.update(service=service, as_of=day)
        page = home / "loop" / day / f"{service}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(document, title=service, assets="assets"))


def outputs_of(source: str, space: dict[str, Any]) -> Iterator[Any]:
    """Run a cell's text and return what it shows."""
    import ast

    from IPython.display import display
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_output

    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    with capture_output() as shown:
        exec(compile(ast.Module(body, []), "cell", "exec"), space)  # noqa: S102
        if last is not None:
            display(eval(compile(ast.Expression(last.value), "cell", "eval"), space))  # noqa: S307
    for one in shown.outputs:
        yield new_output("display_data", data=one.data, metadata=one.metadata)


def stock(home: Path, service: str, day: str) -> None:
    """The commands of papermill, then of nbconvert."""
    from fleetslo.resources import packaged

    source = packaged("notebooks") / "reports/service_slo.ipynb"
    here = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ipynb"
        for words in (
            [here / "papermill", "--no-progress-bar", "-k", "python3", source, out,
             "-p", "service", service, "-p", "as_of", day],
            [here / "jupyter", "nbconvert", "--to", "html", out],
        ):  # fmt: skip
            subprocess.run(words, env=surroundings(home), check=True, capture_output=True)


def surroundings(home: Path) -> dict[str, str]:
    return {**environ(home), "FLEETSLO_WAREHOUSE": f"duckdb://{fleet_home('small')}/warehouse"}


def alone(name: str, count: int, home: Path) -> float:
    """Seconds that one of ours takes in a process of its own, its start included."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tests.bench.factory", name, str(count)],
        env=surroundings(home),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def factory(count: int = 48) -> None:
    """Service reports an hour, beside each peer."""
    home = Path(tempfile.mkdtemp(prefix="fleetslo-bench-"))
    os.environ.update(surroundings(home))
    try:
        made = alone("ours", count, home) / count
        manifest = next(home.glob("runs/*/manifest.json"))
        jobs = json.loads(manifest.read_text())["jobs"]
        looped = alone("loop", count, home) / count
        some = min(count, SOME)
        asking = alone("asking", some, home) / some
        few = plan(PEERS)
        with contextlib.redirect_stderr(io.StringIO()):
            began = time.perf_counter()
            for service, day in few:
                stock(home, service, day)
            serial = (time.perf_counter() - began) / PEERS
            began = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda one: stock(home, *one), few))
            paired = (time.perf_counter() - began) / PEERS
    finally:
        shutil.rmtree(home, ignore_errors=True)
    tell(f"a service report of {count}, executed, drawn, published", f"{made:.2f} s",
         f"{made / looped:.2f} x of a loop without notebooks ({looped:.2f} s)", "1.5 x at most")  # fmt: skip
    tell("papermill and nbconvert for the same, one by one", f"{serial:.2f} s",
         f"{serial / made:.1f} x of ours", "10 x at least")  # fmt: skip
    tell(
        "papermill and nbconvert, two at a time",
        f"{paired:.2f} s",
        f"{paired / made:.1f} x of ours",
        "5 x at least",
    )
    tell("ours where each asks the warehouse itself", f"{asking:.2f} s",
         f"{asking / looped:.2f} x of the loop, {serial / asking:.1f} and {paired / asking:.1f} x "
         "faster than papermill and nbconvert")  # fmt: skip
    peaks = sorted(job["peak_memory_bytes"] / 2**20 for job in jobs)
    tell(
        "memory of one notebook at its peak",
        f"{peaks[-1]:.0f} MiB",
        f"the median {peaks[len(peaks) // 2]:.0f} MiB",
    )


def of_the_fleet(*shards: str) -> None:
    """Service reports of the large fleet, extracts included: a tenth of them, then all."""
    for shard in shards or ("1/10", ""):
        home = Path(tempfile.mkdtemp(prefix="fleetslo-bench-"))
        given = {**environ(home), "FLEETSLO_WAREHOUSE": f"duckdb://{fleet_home('large')}/warehouse"}
        words = [TOOL, "run", "--only", "service_slo", "--as-of", END]
        words += ["--shard", shard] if shard else []
        try:
            peak = Peak()
            with peak:
                began = time.perf_counter()
                subprocess.run(words, env=given, check=True, capture_output=True)
                took = time.perf_counter() - began
            record = json.loads(next(home.glob("runs/*/manifest.json")).read_text())
        finally:
            shutil.rmtree(home, ignore_errors=True)
        asked = sum(one["duration_s"] for one in record["questions"])
        jobs = record["jobs"]
        held = sorted(job["peak_memory_bytes"] / 2**20 for job in jobs)
        tell(f"{len(jobs):,} service reports of the large fleet", f"{took:.0f} s",
             f"{(took - asked) / len(jobs):.2f} s each beside {asked:.0f} s of questions",
             "1,000 in 2 min" if not shard else "")  # fmt: skip
        tell("the most that this batch held, all processes", f"{peak.bytes / 2**20:.0f} MiB",
             f"a notebook at its peak {held[len(held) // 2]:.0f} MiB in the middle, {held[-1]:.0f} at most")  # fmt: skip


def main() -> None:
    match sys.argv[1:]:
        case ["fleet", *shards]:
            of_the_fleet(*shards)
        case ["ours", count]:
            ours(int(count), shares=True)
        case ["asking", count]:
            ours(int(count), shares=False)
        case ["loop", count]:
            loop(int(count))
        case counts:
            factory(*map(int, counts))


if __name__ == "__main__":
    main()
