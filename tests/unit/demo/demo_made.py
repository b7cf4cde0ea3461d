"""What the tests of the demo share: what is measured, and a fleet that was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fleetslo.warehouse.demo.making import DemoReport
from fleetslo.warehouse.measures import Measure


def measures(services: pl.DataFrame) -> Sequence[Measure]:
    """Availability and latency of all, some of checkout, and the lag of the indexer."""
    names = tuple(services["service"])
    measured = [
        Measure("availability", "a1", names, "all"),
        Measure("latency", "b1", names, "successful", 0.3),
        Measure("a-second", "c1", names, "all", 1.0),
        Measure(
            "some",
            "d1",
            tuple(name for name in names if name in ("checkout", "lyrics")),
            "successful",
            0.05,
            endpoints=("* /v1/cart*", "*lyrics*"),
            regions=("europe-*",),
            versions=("*-1", "*0"),
        ),
    ]
    slis = {"playlist-indexer": "queue-lag", "daily-mix": "fresh-mixes"}
    measured += [
        Measure(sli, "e1", (name,), sli=sli) for name, sli in slis.items() if name in names
    ]
    return [measure for measure in measured if measure.services]


@dataclass(frozen=True)
class Made:
    """A demo fleet that was made: where, what was reported, what progress said."""

    folder: Path
    report: DemoReport
    told: list[tuple[str, int, int]]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table."""
        return pl.read_parquet(self.folder / name / "**/*.parquet", hive_partitioning=False)
