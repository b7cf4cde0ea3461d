"""The embedded warehouse: Parquet files in a folder, DuckDB in this process."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from fleetslo.errors import WarehouseEmpty, WarehouseMissing
from fleetslo.files import writing
from fleetslo.warehouse import checks, loading, migrations
from fleetslo.warehouse import describe as describing
from fleetslo.warehouse.base import Finding, LoadReport, Progress, Step, Warehouse
from fleetslo.warehouse.contracts import contract, read_contracts
from fleetslo.warehouse.dialect import to_duckdb
from fleetslo.warehouse.engine import (
    database,
    explained,
    quoted,
    refuse_damaged,
    session,
    stored,
)
from fleetslo.warehouse.findings import late_rollups
from fleetslo.warehouse.journal import locked, recover
from fleetslo.warehouse.layout import Layout
from fleetslo.warehouse.queries import Query, for_duckdb, read_query
from fleetslo.warehouse.sources import Source, read_source
from fleetslo.warehouse.statement import statement

if TYPE_CHECKING:
    import polars as pl

    from fleetslo.warehouse.rollups import Measure, RollupReport

_PIECE_ROWS = 200_000
"""Rows of a piece: some 16 MB of minutes."""


class DuckDBWarehouse(Warehouse):
    """Tables of one folder; see ``fleetslo.warehouse.layout`` for its files.

    Opening finishes or undoes what a killed process left in it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.layout = Layout(Path(url.partition("://")[2]).expanduser().absolute())
        recover(self.layout)

    def __repr__(self) -> str:
        """Return the warehouse with its address."""
        return f"DuckDBWarehouse({self.url!r})"

    def require(self) -> None:
        """Refuse to go on without a warehouse.

        Raises:
            WarehouseMissing: there is none in the folder.
        """
        if not self.layout.exists():
            raise WarehouseMissing(
                f"there is no warehouse in {self.layout.folder}; make one with 'fleetslo demo' "
                "or 'fleetslo warehouse create'"
            )

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """Opened with the first question: a new one takes longer than many an answer."""
        return database()

    @contextmanager
    def connection(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        tables: Sequence[str] | None = None,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold a DuckDB connection in which each table is a view over its files.

        Args:
            start: files of days that end before it are left out.
            end: files of days that begin at or after it are left out.
            tables: the tables to offer; None means all.

        Raises:
            WarehouseMissing: there is no warehouse in the folder.
            MigrationNeeded: one of the tables was written under another contract.
            DataFileError: a file is cut short or damaged.
        """
        self.require()
        wanted = [contract(table) for table in tables] if tables is not None else None
        contracts = list(read_contracts().values()) if wanted is None else wanted
        migrations.require_current(self.layout, contracts)
        files = {one.table: self.layout.files(one.table, start, end) for one in contracts}
        every = [path for paths in files.values() for path in paths]
        with session(self._database) as connection, refuse_damaged(connection, every):
            for one in contracts:
                view = stored(one, files[one.table])
                with explained(f"open {one.table}"):
                    connection.execute(f"CREATE TEMP VIEW {quoted(one.table)} AS {view}")
            yield connection

    def query(self, name: str, **parameters: Any) -> "pl.DataFrame":
        """Return the answer to a named query; see ``Warehouse.query``."""
        query = read_query(name)
        with self._answering(query, query.bind(**parameters)) as relation:
            frame = relation.pl()
        return query.cast(frame)

    def batches(self, name: str, **parameters: Any) -> "Generator[pl.DataFrame, None, None]":
        """Yield the answer to a named query in pieces; see ``Warehouse.batches``."""
        import polars as pl

        query = read_query(name)
        with self._answering(query, query.bind(**parameters)) as relation:
            for batch in relation.to_arrow_reader(_PIECE_ROWS):
                yield query.contract.cast(pl.DataFrame(pl.from_arrow(batch)))

    @contextmanager
    def _answering(
        self, query: Query, values: Mapping[str, Any]
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        """Hold the answer to a query, computed as it is read."""
        self.require()
        if not any(self.layout.files(table) for table in read_contracts()):
            raise WarehouseEmpty(
                f"the warehouse in {self.layout.folder} holds no data yet; fill it with "
                "'fleetslo demo' or 'fleetslo warehouse load TABLE FILE'"
            )
        start = values.get("since", values.get("start"))
        with (
            self.connection(start, values.get("end"), query.tables) as connection,
            explained(f"query {query.name}"),
        ):
            yield connection.sql(for_duckdb(query), params=dict(values))

    def sql(self, text: str, /, **parameters: Any) -> "pl.DataFrame":
        """Return the answer to a SELECT that a person typed; see ``Warehouse.sql``."""
        import polars as pl

        typed = statement(text, parameters)
        self.require()
        asked = to_duckdb(typed.sql, typed.types, {})
        with self.connection(tables=typed.tables) as connection, explained("sql"):
            relation = connection.sql(asked, params=typed.values)
            kinds = zip(relation.columns, relation.types, strict=True)
            # A sum of integers is wider here than in GoogleSQL, where a larger one is an error too.
            wide = [name for name, kind in kinds if str(kind) == "HUGEINT"]
            frame: pl.DataFrame = relation.pl()
        return frame.with_columns(pl.col(wide).cast(pl.Int64))

    def create(
        self,
        *,
        change: bool = False,
        show: Callable[[Sequence[Step]], None] | None = None,
    ) -> list[Step]:
        """Make the folder; what exists in it is left as it is, ``migrate`` writes that anew."""
        if show is not None:
            says = f"a warehouse with {len(read_contracts())} tables"
            missing = [Step("make", str(self.layout.folder), says)]
            show([] if self.layout.exists() else missing)
        with writing(self.layout.folder):
            self.layout.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.layout):
            meta = self.layout.meta
            versions = {name: one.version for name, one in read_contracts().items()}
            known = versions | meta["contracts"]
            if not self.layout.exists() or known != meta["contracts"]:
                self.layout.update_meta({"format": meta["format"], "contracts": known})
        return []

    def load(
        self,
        table: str,
        files: Sequence[Path],
        *,
        step: timedelta | None = None,
        source: str | Source | None = None,
        parameters: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load files: all of their rows, or none; see ``Warehouse.load``."""
        filled = contract(table)
        self.require()
        migrations.require_current(self.layout, [filled])
        named = read_source(source) if source is not None else None
        job = loading.job(filled, files, step, named, parameters)
        return loading.load(self.layout, job, progress)

    def check(
        self,
        as_of: datetime,
        tables: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
    ) -> list[Finding]:
        """Return what the tables break of their contracts; see ``Warehouse.check``."""
        self.require()
        contracts = read_contracts()
        wanted = contracts if tables is None else {name: contract(name) for name in tables}
        migrations.require_current(self.layout, list(wanted.values()))
        late = [one for one in late_rollups(self.pending()) if one.table in wanted]
        return [*checks.check(self.layout, wanted, as_of, since), *late]

    def pending(self) -> dict[str, int]:
        """Return what a rollup would bring up to date; see ``Warehouse.pending``."""
        from fleetslo.warehouse.rollups import pending

        return pending(self.layout)

    def rollup(
        self,
        measures: "Sequence[Measure]",
        progress: Progress | None = None,
        *,
        since: datetime | None = None,
    ) -> "RollupReport":
        """Sum minutes into hours, days and objectives; see ``Warehouse.rollup``."""
        from fleetslo.warehouse.rollups import rollup

        self.require()
        migrations.require_current(self.layout, list(read_contracts().values()))
        with locked(self.layout):
            return rollup(self, measures, progress)

    def fingerprint(self) -> str:
        """Return a digest of every file's name, size, number and time of change."""
        return self.layout.fingerprint_of_all()

    def newest(self) -> dict[str, datetime]:
        """Return the time of the newest row of each table that has one."""
        self.require()
        return describing.newest(self.layout, read_contracts())

    def describe(self) -> "pl.DataFrame":
        """Return one row per table; see ``fleetslo.warehouse.describe``."""
        self.require()
        return describing.describe(self.layout, read_contracts())

    def migrate(self) -> list[str]:
        """Write tables of older contracts anew; return their names."""
        self.require()
        return migrations.migrate(self.layout, read_contracts())

    def complete_until(self) -> datetime | None:
        """Return the end of the newest minute that is covered, or None."""
        self.require()
        return describing.complete_until(self.layout, read_contracts())
