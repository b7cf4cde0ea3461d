"""A warehouse in BigQuery.

Every query is the text under ``queries/`` as it stands, with named parameters. Before it runs, a
dry run says what it would read; over the setting ``bigquery_bytes_limit`` it is refused. Results
come over the Storage Read API as Arrow and go straight into Polars.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import polars as pl

from fleetslo.errors import ContractError, MigrationNeeded, SettingsError
from fleetslo.settings import load_settings
from fleetslo.warehouse.base import Finding, LoadReport, Progress, RollupReport, Step, Warehouse
from fleetslo.warehouse.bigquery.asking import Asker, Estimate, Patience
from fleetslo.warehouse.bigquery.connection import connect, storage
from fleetslo.warehouse.bigquery.faults import misfitting
from fleetslo.warehouse.bigquery.misfits import misfits
from fleetslo.warehouse.bigquery.parameters import parameters as parameters_of
from fleetslo.warehouse.bigquery.reading import Reader
from fleetslo.warehouse.queries import Query, read_query
from fleetslo.warehouse.statement import statement
from fleetslo.warehouse.watching import Silence, Watcher

if TYPE_CHECKING:
    from google.cloud import bigquery

    from fleetslo.warehouse.rollups import Measure
    from fleetslo.warehouse.sources import Source


class BigQueryWarehouse(Warehouse):
    """The tables of a dataset, asked through google-cloud-bigquery.

    Args:
        url: ``bigquery://project/dataset``.
        client: the client to use; made from application-default credentials when None.
        bytes_limit: the most that one query may read; from the settings when None.
        patience: how long answers are waited for.
    """

    def __init__(
        self,
        url: str,
        client: "bigquery.Client | None" = None,
        bytes_limit: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        parts = urlsplit(url)
        dataset = parts.path.strip("/")
        if not parts.netloc or not dataset or "/" in dataset:
            raise SettingsError(f"{url!r} is no dataset; write bigquery://project/dataset")
        self.url = url
        self.project, self.dataset = parts.netloc, dataset
        self.settings = load_settings().settings
        self.bytes_limit = (
            self.settings.bigquery_bytes_limit if bytes_limit is None else bytes_limit
        )
        self._given, self._patience = client, patience or Patience()
        self._watcher: Watcher = Silence()
        self.reached: dict[str, datetime] = {}

    @property
    def dataset_id(self) -> str:
        """The dataset as SQL names it: ``project.dataset``."""
        return f"{self.project}.{self.dataset}"

    @cached_property
    def client(self) -> "bigquery.Client":
        """The client; made when it is first used.

        Raises:
            WarehouseMissing: there are no credentials.
        """
        return self._given or connect(self.url, self.project, self.settings)

    @cached_property
    def asker(self) -> Asker:
        """What asks the dataset; made when it is first used."""
        reader = Reader(
            storage(self.settings), self.settings.result_bytes_limit, self._patience.request_s
        )
        return Asker(
            self.client,
            self.url,
            self.dataset_id,
            self.bytes_limit,
            reader,
            self._patience,
            self._watcher,
        )

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher how each question goes from now on."""
        self._watcher = watcher
        if "asker" in vars(self):
            self.asker.watcher = watcher

    def estimate(self, name: str, **parameters: Any) -> Estimate:
        """Return what a named query would read; nothing else is asked."""
        query = read_query(name)
        bound = query.bind(**parameters)
        return self.asker.estimate(query.sql, parameters_of(query.bound_types, bound), name)

    def query(self, name: str, **parameters: Any) -> pl.DataFrame:
        """Return the answer to a named query, cast to its contract; see ``Warehouse.query``."""
        query = read_query(name)
        bound = query.bind(**parameters)
        frame = self.asker.answer(query.sql, parameters_of(query.bound_types, bound), name)
        with self._fitting(query):
            return query.cast(frame)

    @contextmanager
    def _fitting(self, query: Query) -> Iterator[None]:
        """Say of an answer that does not fit its contract which table does not either.

        Raises:
            MigrationNeeded: a stored column has another type than its contract says.
            ContractError: the tables are as they should be, so the query is not.
        """
        try:
            yield
        except ContractError:
            found = misfits(self.client, self.dataset_id, query.sql)
            if found:
                raise MigrationNeeded(misfitting(self.url, query.name, found)) from None
            raise

    def sql(self, text: str, /, **parameters: Any) -> pl.DataFrame:
        """Return the answer to a SELECT that a person typed; see ``Warehouse.sql``."""
        typed = statement(text, parameters)
        return self.asker.answer(typed.sql, parameters_of(typed.types, typed.values), "sql")

    def batches(self, name: str, **parameters: Any) -> Generator[pl.DataFrame, None, None]:
        """Yield the answer to a named query in pieces; see ``Warehouse.batches``."""
        query = read_query(name)
        bound = query.bind(**parameters)
        asked = self.asker.batches(query.sql, parameters_of(query.bound_types, bound), name)
        with closing(asked) as pieces:
            for piece in pieces:
                with self._fitting(query):
                    cast = query.contract.cast(piece)
                yield cast

    def bytes_to_read(self, name: str, **parameters: Any) -> int | None:
        """Return what a named query would read; nothing else is asked."""
        return self.estimate(name, **parameters).byte_count

    def last_job(self) -> Mapping[str, Any]:
        """Return what the last question cost; see ``Warehouse.last_job``."""
        asked = self.asker.last
        if asked is None:
            return {}
        return {
            "bytes_read": asked.bytes_processed,
            "bytes_billed": asked.bytes_billed,
            "cached": asked.cache_hit,
            "job_id": asked.job_id,
        }

    def label(self, **labels: str) -> None:
        """Let jobs from now on carry these labels."""
        self.asker.labels.update(labels)

    def describe(self) -> pl.DataFrame:
        """Return one row per table: table, says, rows, days, first, last, bytes."""
        from fleetslo.warehouse.bigquery import describing

        return describing.describe(self)

    def fingerprint(self) -> str:
        """Return what changes with the stored data; see ``Warehouse.fingerprint``."""
        from fleetslo.warehouse.bigquery import describing

        return describing.fingerprint(self)

    def newest(self) -> dict[str, datetime]:
        """Return the newest time of the tables that ``complete_until`` last looked at."""
        return self.reached

    def complete_until(self) -> datetime | None:
        """Return the end of the newest hour or minute that the fact tables cover, or None."""
        from fleetslo.warehouse.bigquery import describing

        return describing.complete_until(self)

    def create(
        self,
        *,
        change: bool = False,
        show: Callable[[Sequence[Step]], None] | None = None,
    ) -> list[Step]:
        """Make dataset and tables; see ``Warehouse.create``."""
        from fleetslo.warehouse.bigquery import creating

        return creating.create(self, change=change, show=show)

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
        """Load files: all of their rows, or none; see ``Warehouse.load``."""
        from fleetslo.warehouse.bigquery import filling

        return filling.load(
            self, table, files, step=step, source=source, parameters=parameters, progress=progress
        )

    def check(
        self,
        as_of: datetime,
        tables: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
    ) -> list[Finding]:
        """Return what the tables break of their contracts; see ``Warehouse.check``."""
        from fleetslo.warehouse.bigquery import checking

        return checking.check(self, as_of, tables, since)

    def rollup(
        self,
        measures: "Sequence[Measure]",
        progress: Progress | None = None,
        *,
        since: datetime | None = None,
    ) -> RollupReport:
        """Sum minutes into hours, days and objectives; see ``Warehouse.rollup``."""
        from fleetslo.warehouse.bigquery import rolling

        return rolling.rollup(self, measures, progress, since)

    def pending(self) -> dict[str, int]:
        """Return what a rollup would bring up to date; see ``Warehouse.pending``."""
        from fleetslo.warehouse.bigquery import rolling

        return rolling.pending(self)

    def migrate(self) -> list[str]:
        """Bring tables up to the present contracts; return their names."""
        from fleetslo.warehouse.bigquery import creating

        return creating.migrate(self)
