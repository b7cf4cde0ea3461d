"""The face of every warehouse: what can be asked of stored data, wherever it lies."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from fleetslo.errors import SettingsError, UsageError
from fleetslo.warehouse.rules import Severity

if TYPE_CHECKING:
    import polars as pl

    from fleetslo.warehouse.rollups import Measure
    from fleetslo.warehouse.sources import Source
    from fleetslo.warehouse.watching import Watcher

# (what is being done, how much of it is done, how much there is)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    ``rows`` were written over ``days`` days, ``replaced`` of them in place of rows of the same
    grain; the files in ``already_loaded`` were left alone, since the warehouse has them.
    """

    rows: int
    days: int
    replaced: int = 0
    already_loaded: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step from what is there to what the contracts say.

    What is missing is a ``make``. What exists and can be changed without touching a row is a
    ``change``; ``by hand`` is what cannot be changed in place, and ``says`` what to do about it.
    """

    kind: Literal["make", "change", "by hand"]
    where: str
    says: str


@dataclass(frozen=True)
class Finding:
    """One rule that stored data breaks, with how often and the first place."""

    table: str
    check: str
    severity: Severity
    count: int
    says: str
    example: str


@dataclass(frozen=True)
class RollupReport:
    """What a rollup did: days and rows written per derived table.

    ``unfilled`` names the days for which an objective could not be filled in as far as its service
    was covered: it is new or changed, and the minutes are gone. ``left`` counts, per derived table,
    the days that changed and lie further back than was looked.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    unfilled: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return a sentence per derived table, then one of each that is not all it should be."""
        written = [
            f"{table}: {self.rows.get(table, 0):,} rows in {days:,} days"
            for table, days in self.days.items()
        ]
        unfilled = [
            f"{objective}: new or changed, and minutes to fill it in from are gone: "
            f"{len(days):,} day{'' if len(days) == 1 else 's'} from {days[0]} to {days[-1]}"
            for objective, days in self.unfilled.items()
        ]
        left = [
            f"{table}: left {days:,} changed day{'' if days == 1 else 's'} further back than "
            "rollup_horizon_days; --since DATE rolls up from there"
            for table, days in self.left.items()
        ]
        return written + unfilled + left


class Warehouse(ABC):
    """Stored telemetry of a fleet; every method may raise a WarehouseError."""

    url: str

    @abstractmethod
    def query(self, name: str, **parameters: Any) -> "pl.DataFrame":
        """Return the answer to a named query, cast to the query's contract.

        ``start`` and ``end`` are aware datetimes, ``services`` a list of names in which [] means
        all.

        Raises:
            UnknownQuery: there is no such query.
            UnknownParameter: the query has no such parameter.
            ParameterError: a parameter is missing or has the wrong type.
            WarehouseMissing: there is no warehouse at this address.
            WarehouseEmpty: the warehouse holds no data yet.
            MigrationNeeded: a table was written under another version of its contract.
        """

    @abstractmethod
    def batches(self, name: str, **parameters: Any) -> "Generator[pl.DataFrame, None, None]":
        """Yield the answer to a named query in pieces that fit in memory, in any order.

        Each is cast to the contract; an answer without rows is no piece. Parameters and errors
        are those of ``query``; an answer that breaks off raises, so nothing of it is to be kept
        before the last piece has come.
        """

    def bytes_to_read(self, name: str, **parameters: Any) -> int | None:
        """Return what a named query would read, where that is known and costs something."""
        return None

    def last_job(self) -> Mapping[str, Any]:
        """Return ``bytes_read, bytes_billed, cached, job_id`` of the last answer, or nothing."""
        return {}

    def label(self, **labels: str) -> None:  # noqa: B027 - most have no jobs to label
        """Let jobs from now on carry these labels, where the warehouse has jobs."""

    def sql(self, text: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the answer to a SELECT in GoogleSQL that a person typed, as its SQL has it.

        Tables go by their bare names, parameters are named (``@start``) and take the type of
        their Python value: str, int, float, bool, date, aware datetime, or a list of one of them.

        Raises:
            UsageError: it is not one SELECT, or only named questions are answered here: a batch
                asks each once for all of its notebooks.
            UnknownParameter, ParameterError: values and named parameters do not agree.
            UnknownTable: it reads a table that no contract describes, where there are no others.
        """
        raise UsageError(
            "SQL is for a person in JupyterLab; in a batch every question has a name, so that it "
            "is asked once for all services: write it down as queries/<subject>/NAME.sql, declare "
            "it in the notebook's metadata and ask fleet.query"
        )

    def watch(self, watcher: "Watcher") -> None:  # noqa: B027 - only what costs is watched
        """Tell a watcher how each question goes from now on, where questions cost something."""

    @abstractmethod
    def create(
        self,
        *,
        change: bool = False,
        show: Callable[[Sequence[Step]], None] | None = None,
    ) -> list[Step]:
        """Make the warehouse and its tables; return the steps that were left undone.

        Args:
            change: whether what exists may be changed; rows never are.
            show: is told every step before the first is taken.
        """

    @abstractmethod
    def load(
        self,
        table: str,
        files: Sequence[Path],
        *,
        step: timedelta | None = None,
        source: "str | Source | None" = None,
        parameters: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load files into a table: all of their rows, or none.

        Args:
            table: the table to fill.
            files: Parquet, CSV (``.csv``, ``.csv.gz``) or NDJSON files.
            step: how much time one row covers, where the source is coarser than the table.
            source: what turns the files into rows of the table: a name under
                ``queries/sources/``, or a source that a mapping of yours made.
            parameters: what that source asks for.
            progress: called with (what, done, total).

        Raises:
            ContractError: a row breaks the contract; file, row, column, value and rule are named.
            DataFileError: a file is cut short, damaged or of an unknown kind.
        """

    @abstractmethod
    def check(
        self,
        as_of: datetime,
        tables: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
    ) -> list[Finding]:
        """Return what stored data breaks of its contracts, failures first.

        Args:
            as_of: the instant that freshness is measured from.
            tables: the tables to look at; None means all.
            since: rows of earlier days are left out; None means that all are looked at.
        """

    @abstractmethod
    def rollup(
        self,
        measures: "Sequence[Measure]",
        progress: Progress | None = None,
        *,
        since: datetime | None = None,
    ) -> RollupReport:
        """Sum minutes into hours and days, and into what each objective measures.

        Args:
            measures: what the objectives in force count; rows of any other leave ``slo_minutes``.
            progress: called with (what, days done, days in all).
            since: how far back days are rolled up again that changed since; a folder looks at all
                of its days, a dataset at those of ``rollup_horizon_days`` when None.
        """

    def pending(self) -> dict[str, int]:
        """Return, per derived table, how many days changed since the last rollup, where known."""
        return {}

    def fingerprint(self) -> str:
        """Return a text that changes whenever stored data does; empty where nothing tells."""
        return ""

    @abstractmethod
    def describe(self) -> "pl.DataFrame":
        """Return one row per table: table, says, rows, days, first, last, bytes."""

    def newest(self) -> dict[str, datetime]:
        """Return the time of the newest row of each table, as far as that is known for nothing."""
        return {}

    @abstractmethod
    def migrate(self) -> list[str]:
        """Write tables of older contracts anew; return the names of those that were."""

    @abstractmethod
    def complete_until(self) -> datetime | None:
        """Return the end of the newest minute or hour that requests or SLIs cover, or None."""


def open_warehouse(url: str, *, must_exist: bool = True) -> Warehouse:
    """Return the warehouse at an address.

    Args:
        url: ``duckdb:///path/to/folder`` or ``bigquery://project/dataset``.
        must_exist: False where it is about to be made.

    Raises:
        SettingsError: the address is of neither kind.
        WarehouseMissing: there is no warehouse in the folder.
    """
    kind, path = urlsplit(url).scheme, url.partition("://")[2]
    if path.strip("/") or path == "/":
        if kind == "duckdb":
            from fleetslo.warehouse.duckdb import DuckDBWarehouse

            warehouse = DuckDBWarehouse(url)
            if must_exist:
                warehouse.require()
            return warehouse
        if kind == "bigquery":
            from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

            return BigQueryWarehouse(url)
    raise SettingsError(
        f"{url!r} is not the address of a warehouse; "
        "write duckdb:///path/to/folder or bigquery://project/dataset"
    )
