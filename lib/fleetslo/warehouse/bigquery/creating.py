"""The dataset and its tables, made from the contracts and brought up to them.

What is missing is made at once. What exists is changed only when that is asked for, and only in
ways that touch no row: a new column that may be null, a description, clustering, the filter on
days that queries must have, and after how many days a partition is dropped. The rest is named,
with what to do about it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleetslo.errors import SettingsError, nearest
from fleetslo.warehouse.base import Step
from fleetslo.warehouse.bigquery import books, rolled, tables
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.misfits import spelled
from fleetslo.warehouse.contracts import Column, Contract, read_contracts

if TYPE_CHECKING:
    from google.cloud import bigquery

    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse


@dataclass(frozen=True)
class _Planned:
    """A step, and what does it; nothing does what has to be done by hand."""

    step: Step
    do: Callable[[], object] | None = None


def create(
    warehouse: "BigQueryWarehouse",
    *,
    change: bool = False,
    show: Callable[[Sequence[Step]], None] | None = None,
) -> list[Step]:
    """Make what is missing, and change what exists where asked to; see ``Warehouse.create``."""
    planned = _plan(warehouse)
    if show is not None:
        show([one.step for one in planned])
    left = []
    for one in planned:
        if one.do is None or (one.step.kind == "change" and not change):
            left.append(one.step)
            continue
        with explained(warehouse.url, f"create {one.step.where}"):
            one.do()
    return left


def migrate(warehouse: "BigQueryWarehouse") -> list[str]:
    """Make and change what can be; return what was done, a line each."""
    shown: list[Step] = []
    left = create(warehouse, change=True, show=shown.extend)
    return [f"{step.where}: {step.says}" for step in shown if step not in left]


def _plan(warehouse: "BigQueryWarehouse") -> list[_Planned]:
    """Return every step from what is there to the contracts."""
    contracts = read_contracts()
    keep = _keep_days(warehouse, contracts.values())
    wanted = [(one, keep[one.table]) for one in contracts.values()]
    wanted += [(books.LOADS, None), (rolled.ROLLED, None)]
    with explained(warehouse.url, "create"):
        there = _there(warehouse)
        planned = [] if there is not None else [_dataset(warehouse)]
        for contract, days in wanted:
            if contract.table in (there or ()):
                planned += _Standing(warehouse, contract, days).steps()
            else:
                planned.append(_missing(warehouse, contract, days))
    return planned


def _keep_days(
    warehouse: "BigQueryWarehouse", contracts: Iterable[Contract]
) -> dict[str, int | None]:
    """Return after how many days each table drops a day; None keeps all."""
    given = list(contracts)
    known = {one.table: one.keep_days for one in given}
    parted = [one.table for one in given if one.partition]
    for name in warehouse.settings.keep_days:
        if name not in parted:
            raise SettingsError(
                f"setting 'keep_days' names {name!r}, which is no table with days."
                f"{nearest(name, parted)} Those are {', '.join(parted)}"
            )
    return known | dict(warehouse.settings.keep_days)


def _there(warehouse: "BigQueryWarehouse") -> set[str] | None:
    """Return the names of the tables that the dataset has, or None where there is no dataset."""
    from google.api_core.exceptions import NotFound

    calls = patience(warehouse)
    try:
        warehouse.client.get_dataset(warehouse.dataset_id, **calls)
    except NotFound:
        return None
    return {item.table_id for item in warehouse.client.list_tables(warehouse.dataset_id, **calls)}


def _dataset(warehouse: "BigQueryWarehouse") -> _Planned:
    from google.cloud import bigquery

    made = bigquery.Dataset(warehouse.dataset_id)
    made.description = "Telemetry of a fleet, kept by fleetslo."
    location = warehouse.settings.bigquery_location
    if location:
        made.location = location
    where = location or "US, since bigquery_location is not set"
    step = Step("make", warehouse.dataset_id, f"a dataset in {where}")
    calls = patience(warehouse)
    return _Planned(step, lambda: warehouse.client.create_dataset(made, exists_ok=True, **calls))


def _missing(warehouse: "BigQueryWarehouse", contract: Contract, days: int | None) -> _Planned:
    made = tables.table(warehouse.dataset_id, contract, days)
    says = [f"a table with {len(contract.columns)} columns"]
    if contract.partition:
        says.append(f"a partition a day of {contract.partition}, without which no query runs")
    if contract.cluster:
        says.append(f"clustered by {', '.join(contract.cluster)}")
    if days is not None:
        says.append(_kept(days))
    step = Step("make", contract.table, "; ".join(says))
    calls = patience(warehouse)
    return _Planned(step, lambda: warehouse.client.create_table(made, exists_ok=True, **calls))


def _kept(days: int | None) -> str:
    return "days are kept for good" if days is None else f"days are kept for {days}"


class _Standing:
    """A table that exists, against its contract."""

    def __init__(
        self, warehouse: "BigQueryWarehouse", contract: Contract, days: int | None
    ) -> None:
        self.warehouse, self.contract = warehouse, contract
        self.calls = patience(warehouse)
        self.name = f"{warehouse.dataset_id}.{contract.table}"
        self.table = self._now()
        self.wanted = tables.table(warehouse.dataset_id, contract, days)
        self.days = days

    def steps(self) -> list[_Planned]:
        """Return what differs."""
        return [*self._columns(), *self._partitions(), *self._rest()]

    def _change(self, says: str, **values: Any) -> _Planned:
        """Return a change of properties of the table."""

        def do() -> None:
            table = self._now()
            for name, value in values.items():
                setattr(table, name, value)
            self.warehouse.client.update_table(table, list(values), **self.calls)

        return _Planned(Step("change", self.contract.table, says), do)

    def _now(self) -> "bigquery.Table":
        """Return the table as earlier steps left it: BigQuery refuses changes to an older state."""
        return self.warehouse.client.get_table(self.name, **self.calls)

    def _statement(self, says: str, sql: str) -> _Planned:
        name = f"create {self.contract.table}"
        step = Step("change", self.contract.table, says)
        return _Planned(step, lambda: self.warehouse.asker.do(sql, [], name))

    def _by_hand(self, says: str) -> _Planned:
        return _Planned(Step("by hand", self.contract.table, says))

    def _columns(self) -> Iterator[_Planned]:
        fields = {field.name: field for field in self.table.schema}
        for column in self.contract.columns:
            old = column.renamed_from
            if column.name in fields:
                yield from self._column(column, fields.pop(column.name))
            elif old in fields:
                fields.pop(old)
                yield self._statement(
                    f"call column {old!r} {column.name!r}",
                    f"ALTER TABLE {self.contract.table} RENAME COLUMN {old} TO {column.name}",
                )
            elif column.nullable or column.type.element is not None:
                yield self._statement(
                    f"add column {column.name!r} ({column.type})", self._add(column)
                )
            else:
                yield self._by_hand(
                    f"column {column.name!r} ({column.type}) is missing and may not be null; add "
                    f"it with ALTER TABLE {self.contract.table} ADD COLUMN {column.name} "
                    f"{column.type}, and fill it in every row"
                )
        for name, field in fields.items():
            if field.mode == "REQUIRED":
                yield self._statement(
                    f"let column {name!r} be null, since loads do not fill it",
                    f"ALTER TABLE {self.contract.table} ALTER COLUMN {name} DROP NOT NULL",
                )

    def _add(self, column: Column) -> str:
        says = tables.description(column)
        options = f" OPTIONS (description = {_text(says)})" if says else ""
        name = f"{self.contract.table} ADD COLUMN IF NOT EXISTS {column.name}"
        return f"ALTER TABLE {name} {column.type}{options}"

    def _column(self, column: Column, field: "bigquery.SchemaField") -> Iterator[_Planned]:
        if spelled(field) != str(column.type):
            yield self._by_hand(
                f"column {column.name!r} is {spelled(field)}, not {column.type}; write the table "
                "anew (CREATE TABLE … AS SELECT …) with the column cast, and put it in place of "
                "this one"
            )
        elif field.mode == "REQUIRED" and column.nullable:
            yield self._statement(
                f"let column {column.name!r} be null, as its contract does",
                f"ALTER TABLE {self.contract.table} ALTER COLUMN {column.name} DROP NOT NULL",
            )

    def _partitions(self) -> Iterator[_Planned]:
        wanted, there = self.wanted.time_partitioning, self.table.time_partitioning
        if wanted is None:
            return
        if there is None or (there.type_, there.field) != ("DAY", wanted.field):
            parted = "no partitions" if there is None else f"partitions by {there.type_} of"
            name = "" if there is None else f" {there.field or '_PARTITIONTIME'}"
            yield self._by_hand(
                f"it has {parted}{name}, not by DAY of {wanted.field}, so queries read more than "
                "they have to; make a new table with 'fleetslo warehouse create' in another "
                "dataset, and copy the rows with INSERT INTO … SELECT"
            )
            return
        if there.expiration_ms != wanted.expiration_ms:
            yield self._change(_kept(self.days), time_partitioning=wanted)
        # Other servers than Google's do not keep it, and would be told each time.
        if not self.table.require_partition_filter and self._is_googles:
            yield self._change(
                f"refuse queries that do not bound {wanted.field}", require_partition_filter=True
            )

    @property
    def _is_googles(self) -> bool:
        return self.warehouse.settings.bigquery_endpoint is None

    def _rest(self) -> Iterator[_Planned]:
        if self.wanted.clustering_fields != self.table.clustering_fields:
            names = ", ".join(self.wanted.clustering_fields or ["nothing"])
            yield self._change(
                f"cluster by {names}: rows loaded from now on",
                clustering_fields=self.wanted.clustering_fields,
            )
        if self.table.description != self.contract.says:
            yield self._change("describe the table", description=self.contract.says)
        says = {
            column.name: tables.description(column)
            for column in self.contract.columns
            if tables.description(column)
        }
        behind = [
            field.name
            for field in self.table.schema
            if field.name in says and field.description != says[field.name]
        ]
        if behind:
            yield _Planned(
                Step("change", self.contract.table, f"describe {', '.join(behind)}"),
                lambda: self._describe(says),
            )

    def _describe(self, says: dict[str, str | None]) -> None:
        from google.cloud import bigquery

        table = self._now()
        table.schema = [
            bigquery.SchemaField.from_api_repr(
                field.to_api_repr() | {"description": says.get(field.name) or field.description}
            )
            for field in table.schema
        ]
        self.warehouse.client.update_table(table, ["schema"], **self.calls)


def _text(text: str) -> str:
    """Return a text as a GoogleSQL string."""
    return json.dumps(text, ensure_ascii=False)
