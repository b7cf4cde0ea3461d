"""``make bench``: the figures, medians over several runs, each as a ratio against a named peer.

The demo fleets are made once, under ``.fleetslo/bench``; the large one takes minutes. Name a part
to run only that: ``python -m tests.bench imports queries``.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

HOME = Path(".fleetslo/bench").resolve()
TOOL = Path(sys.executable).with_name("fleetslo")
END = "2026-11-01"


def environ(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSLO_")}
    return {**kept, "FLEETSLO_HOME": str(home), "PLOTLY_RENDERER": "plotly_mimetype"}


def timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def pairs(
    ours: Callable[[], object], peer: Callable[[], object], runs: int
) -> tuple[float, float, float]:
    """Medians of ours and of the peer, run in turn, and the median of their ratios."""
    ours(), peer()
    both = [(timed(ours), timed(peer)) for _ in range(runs)]
    first, second = (statistics.median(side) for side in zip(*both, strict=True))
    return first, second, statistics.median(a / b for a, b in both)


def tell(what: str, value: str, against: str = "", goal: str = "") -> None:
    print(f"{what:<52} {value:>14}   {against:<44} {goal}", flush=True)


def command(*words: str, home: Path) -> None:
    subprocess.run([TOOL, *words], env=environ(home), check=True, capture_output=True)


def fleet_home(size: str) -> Path:
    home = HOME / size
    if not (home / "made").exists():
        print(f"making the {size} fleet in {home} …", file=sys.stderr, flush=True)
        command("demo", "--size", size, home=home)
        (home / "made").touch()
    return home


def imports() -> None:
    def load(module: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    bare = statistics.median(
        timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)) for _ in range(9)
    )
    ours, peer, ratio = pairs(load("fleetslo"), load("polars"), 9)
    tell(
        "import fleetslo, Python's own start taken off",
        f"{max(ours - bare, 0) * 1000:.0f} ms",
        f"{ratio:.2f} x of 'import polars' ({peer - bare:.2f} s)",
        "under 150 ms",
    )


def demo() -> None:
    home = Path(tempfile.mkdtemp(prefix="fleetslo-bench-"))
    try:
        made = timed(lambda: command("demo", "--size", "small", home=home))
        peak = Peak()
        with peak:
            ran = timed(lambda: command("run", home=home))
        pages = len(list((home / "site/current").glob("*/service_slo/*.html"))) + 1
        one = statistics.median(timed(lambda: stock(home)) for _ in range(3))
        tell("make demo, installation aside (small fleet)", f"{made + ran:.0f} s",
             f"{made:.0f} s to make it, {ran:.0f} s for {pages} reports", "under 90 s")  # fmt: skip
        tell("a report of that batch", f"{ran / pages:.2f} s",
             f"{ran / pages / one:.2f} x of papermill, then nbconvert ({one:.2f} s)")  # fmt: skip
        tell(
            "peak memory of that batch, all processes",
            f"{peak.bytes / 2**20:.0f} MiB",
            "",
            "under 2 GiB",
        )
        size, page = max(
            (p.stat().st_size, p) for p in (home / "site/current").glob("*/service_slo/*.html")
        )
        tell(
            "largest service page, shared assets aside",
            f"{size / 1000:.0f} KB",
            page.stem,
            "under 700 KB",
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def stock(home: Path) -> None:
    """The peer: papermill's own command and nbconvert's, one after the other, for one service."""
    from fleetslo.resources import packaged

    source = packaged("notebooks") / "reports/service_slo.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ipynb"
        here = Path(sys.executable).parent
        for words in (
            [
                here / "papermill",
                "--no-progress-bar",
                "-k",
                "python3",
                source,
                out,
                "-p",
                "as_of",
                END,
            ],
            [here / "jupyter", "nbconvert", "--to", "html", out],
        ):
            subprocess.run(words, env=environ(home), check=True, capture_output=True)


class Peak:
    """The greatest sum of what this process's children hold alone, looked at ten times a second."""

    def __enter__(self) -> None:
        self.bytes, self.going = 0, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.going = False
        self.thread.join()

    def watch(self) -> None:
        import psutil

        while self.going:
            held = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    held += child.memory_full_info().uss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, held)
            time.sleep(0.1)


def queries() -> None:
    """The fleet overview's questions on the large fleet, against DuckDB SQL written by hand."""
    home = fleet_home("large")
    os.environ["FLEETSLO_HOME"] = str(home)
    from fleetslo.fleet import Fleet, open_fleet
    from tests.bench.by_hand import by_hand

    folder = home / "warehouse"
    fleet = open_fleet(f"duckdb://{folder}")
    period = fleet.period("28d", END)

    asked: list[tuple[str, dict[str, object]]] = []
    query = fleet.warehouse.query

    def noted(name: str, **parameters: object) -> object:
        asked.append((name, parameters))
        return query(name, **parameters)

    fleet.warehouse.query = noted  # type: ignore[method-assign,assignment]
    began = time.perf_counter()
    view = Fleet(fleet.settings, fleet.warehouse).overview(period)
    for part in ("rows", "judgements", "failures", "incidents", "freshness"):
        getattr(view, part)
    whole = time.perf_counter() - began

    def ask() -> None:
        for name, parameters in asked:
            query(name, **parameters)

    ours, peer, ratio = pairs(ask, lambda: by_hand(folder, period), 5)
    tell("the fleet overview's queries, 1,000 services, 28 days", f"{ours:.2f} s",
         f"{ratio:.2f} x of DuckDB SQL by hand ({peer:.2f} s)", "2 x and 3 s at most")  # fmt: skip
    tell("all that the page knows, verdicts included", f"{whole:.2f} s", f"{len(asked)} queries")


def index() -> None:
    """An index of 1,000 services in Chromium: from opening it to the answer of a search."""
    from playwright.sync_api import sync_playwright

    from tests.bench.thousand import site_of

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        address = site_of(Path(folder), 1000).as_uri()
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
        ]
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()

        def usable() -> None:
            page.goto(address)
            page.fill("input[type=search]", "service-0777")
            page.wait_for_function(
                "document.querySelectorAll('tbody tr').length < 5 && document.body.innerText.includes('service-0777')"
            )

        def blank() -> None:
            page.goto("about:blank")

        ours, peer, _ = pairs(usable, blank, 9)
        tell("the index of 1,000 services, opened and searched", f"{ours * 1000:.0f} ms",
             f"an empty page takes {peer * 1000:.0f} ms", "under 1 s")  # fmt: skip
        browser.close()


def replays() -> None:
    """The workbook policy over 28 days of minutes of 1,000 services, one service after another."""
    from tests.bench.replaying import bare_sums, fleet_minutes, replayed

    words = [sys.executable, "-m", "tests.bench.replaying"]
    alone = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    minutes = fleet_minutes()
    ours, peer, ratio = pairs(lambda: replayed(minutes), lambda: bare_sums(minutes), 5)
    tell(f"replay of {alone['rows'] / 1e6:.1f} million minutes", f"{ours:.1f} s",
         f"{ratio:.2f} x of bare Polars rolling sums ({peer:.1f} s)", "3 x and 20 s at most")  # fmt: skip
    tell("peak memory of that, its minutes included", f"{alone['peak_bytes'] / 2**20:.0f} MiB",
         f"{alone['alerts']} alerts", "under 4 GiB")  # fmt: skip


def documents() -> None:
    """Reading and checking 1,000 objectives: a document each in one file, nothing shared."""
    import yaml

    from fleetslo import resources
    from fleetslo.reliability.objectives import read_objectives

    latency = resources.packaged("queries") / "objectives/latency.yaml"
    template = latency.read_text().split("\n---\n")[0]
    text = "\n---\n".join(
        template.replace("{service}", f"service-{number:04}").replace("fleetslo/for", "bench/for")
        for number in range(1000)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.yaml"
        path.write_text(text)
        ours, peer, ratio = pairs(
            lambda: read_objectives(path),
            lambda: list(yaml.load_all(path.read_text(), yaml.CSafeLoader)),
            7,
        )
    tell("reading 1,000 objectives", f"{ours * 1000:.0f} ms",
         f"{ratio:.2f} x of PyYAML's C loader ({peer * 1000:.0f} ms)", "under 2 s")  # fmt: skip


def budgets() -> None:
    """Verdicts of 1,000 services with three objectives each, from 28 days of hours."""
    from tests.bench.budgeting import bare, fleet_hours, fleet_objectives
    from tests.bench.budgeting import budgets as budgets_of

    objectives = fleet_objectives()
    hours = fleet_hours(objectives)
    ours, peer, ratio = pairs(lambda: budgets_of(hours, objectives), lambda: bare(hours), 7)
    tell(f"budgets of 3,000 objectives from {hours.height / 1e6:.1f} million hours",
         f"{ours * 1000:.0f} ms", f"{ratio:.2f} x of bare Polars sums ({peer * 1000:.0f} ms)",
         "under 1 s")  # fmt: skip


def costs() -> None:
    """Bytes that BigQuery would count for a day of the small fleet, calculated and counted."""
    from tests.bench.costing import weeks

    for name, counted, calculated in weeks(fleet_home("small")):
        tell(f"a day of {name}, calculated", f"{calculated / 1e6:.1f} MB",
             f"{calculated / counted:.2f} x of what is there ({counted / 1e6:.1f} MB)",
             "within 25 %")  # fmt: skip


def unchanged() -> None:
    """A run of 1,000 pages in which nothing changed."""
    from tests.bench.unchanged import unchanged as measured

    measured()


def factory() -> None:
    """Service reports from warehouse to page; ``python -m tests.bench.factory 200`` for more."""
    from tests.bench.factory import factory as measured

    measured()


def thousand() -> None:
    """All service reports of the large fleet, which takes many minutes."""
    from tests.bench.factory import of_the_fleet

    of_the_fleet()


def reading() -> None:
    """A million rows of an answer, over gRPC from a server on loopback."""
    from tests.bench.reading import ROWS, ways

    with ways() as (ours, peer):
        mine, theirs, ratio = pairs(ours, peer, 15)
    tell(f"reading {ROWS:,} rows of BigQuery into Polars", f"{mine:.2f} s",
         f"{ratio:.2f} x of the Storage API's own Arrow ({theirs:.2f} s)", "1.3 x at most")  # fmt: skip


PARTS = {"imports": imports, "demo": demo, "index": index, "queries": queries, "replays": replays,
         "documents": documents, "budgets": budgets,
         "costs": costs, "reading": reading, "factory": factory, "unchanged": unchanged,
         "thousand": thousand}  # fmt: skip


def main() -> None:
    for name in sys.argv[1:] or list(PARTS):
        PARTS[name]()


if __name__ == "__main__":
    main()
