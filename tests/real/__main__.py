"""``make real``: load the real data sets beside the project, report on them, and say how they agree.

Each scenario gets a project folder of its own under ``.fleetslo/real``. Name scenarios to do only
those, and ``--no-reports`` to load and compare alone: ``python -m tests.real petshop-quiet-high``.
"""

import shutil
import sys
import time
from pathlib import Path

import polars as pl

from .real_agreement import (
    differences,
    distribution,
    lone_hours,
    nezha_percentiles,
    petshop_percentiles,
    stored_rows,
)
from .real_scenarios import (
    METRICS,
    PROJECT,
    SCENARIOS,
    SPANS,
    Scenario,
    data_folder,
    load,
    make_home,
    missing,
    report,
)

HOME = PROJECT / ".fleetslo" / "real"


def main(words: list[str]) -> int:
    absent = missing()
    if absent:
        print("The real data are not here, so there is nothing to load:")
        print("\n".join(f"  missing: {name}" for name in absent))
        print("Put them there, or name their folder: REAL_DATA=/folder make real")
        return 0
    reports = "--no-reports" not in words
    names = [word for word in words if word != "--no-reports"] or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        print(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
        return 2
    chosen = [SCENARIOS[name] for name in names]
    for scenario in chosen:
        show(scenario, reports=reports)
    agree(chosen)
    return 0


def show(scenario: Scenario, *, reports: bool) -> None:
    folder = HOME / scenario.name
    if (folder / "fleetslo.toml").is_file():
        shutil.rmtree(folder)
    print(f"\n{scenario.name}: {scenario.says}", flush=True)
    began = time.perf_counter()
    make_home(scenario, folder)
    for line in load(scenario, folder).splitlines():
        if " rows in " in line or "check" in line or line.lstrip().startswith(("warn", "fail")):
            print(f"  {' '.join(line.split())}")
    print(f"  loaded, rolled up and checked in {time.perf_counter() - began:.0f} s", flush=True)
    if reports:
        began = time.perf_counter()
        index = report(scenario, folder)
        pages = len(list(index.parent.glob("*/**/*.html")))
        print(f"  {pages} pages in {time.perf_counter() - began:.0f} s: {index}", flush=True)


def url(folder: Path) -> str:
    return f"duckdb://{folder / '.fleetslo' / 'warehouse'}"


def agree(chosen: list[Scenario]) -> None:
    petshop = [one for one in chosen if one.name.startswith("petshop")]
    if petshop:
        own = petshop_percentiles(data_folder() / METRICS)
        minutes, hours = [], []
        for scenario in petshop:
            parameters = dict(word.split("=") for word in scenario.loads[0].parameters)
            mine = own.filter(
                pl.col("traffic") == parameters["traffic"],
                pl.col("split").is_in(parameters["splits"].split(",")),
            )
            place = url(HOME / scenario.name)
            minutes.append(differences(stored_rows(place), mine))
            hours.append(differences(*lone_hours(place, mine)))
        told(
            "PetShop: p50, p90, p95 and p99 of every stored row, against the data set's own",
            pl.concat(minutes),
        )
        told(
            "PetShop: the same from the hours that pages read, where an hour holds one row",
            pl.concat(hours),
        )
    nezha = [one for one in chosen if one.name.startswith("nezha")]
    if nezha:
        own = nezha_percentiles(data_folder() / SPANS)
        found = [differences(stored_rows(url(HOME / one.name)), own) for one in nezha]
        spans = pl.concat(found)
        under = pl.col("own_s") < 0.001
        told("Nezha: from counts between bounds, 1 ms and longer", spans.filter(~under))
        told("Nezha: under 1 ms, where the first bound is", spans.filter(under))


def told(title: str, found: pl.DataFrame) -> None:
    print(f"\n{title}")
    print("  quantile      rows    median       p95       max   within a bucket (4.43 %)")
    for enough in (True, False):
        rows = distribution(found.filter(pl.col("enough") == enough))
        if not enough and rows.height:
            print("  fewer requests than 1 / (1 - q):")
        for row in rows.iter_rows(named=True):
            spread = "".join(f"{row[name]:>9.2%} " for name in ("median", "p95", "max"))
            print(
                f"  p{100 * row['quantile']:<9.0f}{row['rows']:>7,} {spread}"
                f"{row['within_a_bucket']:>11.2%}"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
