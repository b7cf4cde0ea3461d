"""Rows of a SELECT inside BigQuery, cast to a contract and judged by it, in one pass.

They wait in a staging table that has one more column, ``fault``: the place of the first rule that
a row breaks, or null.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleetslo.errors import ContractError, nearest
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.merging import Rows, listed, quoted
from fleetslo.warehouse.bigquery.misfits import spelled
from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.findings import row_text, shown
from fleetslo.warehouse.staging import EMPTY, NAMED, blame, refusal
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

FAULT = {"fault": Type("INT64")}
"""What a staging table has besides the columns of its contract."""

_NUMBERS = ("INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC")
_FITS = {"INT64": _NUMBERS, "FLOAT64": _NUMBERS}
"""What can fill a column of another type; whole numbers are held to be whole."""


@dataclass(frozen=True)
class _Rule:
    """When a row is refused (``breaks``, over columns and raw ones), and what is said then."""

    breaks: str
    column: str
    why: str
    others: tuple[str, ...] = ()


class Selection:
    """A query whose answer is to fill a table.

    Args:
        warehouse: where it is asked.
        contract: the table.
        sql: the query.
        parameters: of the query.
        origin: where the rows come from, for messages.

    Raises:
        ContractError: the answer lacks a column, or has one that is unknown or of another type.
        WarehouseError: BigQuery refused the query.
    """

    def __init__(
        self,
        warehouse: "BigQueryWarehouse",
        contract: Contract,
        sql: str,
        parameters: Sequence[Any],
        origin: str,
    ) -> None:
        self.warehouse, self.contract, self.sql = warehouse, contract, sql
        self.parameters, self.origin = list(parameters), origin
        self.given = self._answered()
        self.rules = self._rules()

    def _answered(self) -> dict[str, str]:
        """Return the columns of the answer with their types; the query is not run for that."""
        from google.cloud import bigquery

        place = self.warehouse
        with explained(place.url, self.origin):
            config = bigquery.QueryJobConfig(
                dry_run=True, default_dataset=place.dataset_id, query_parameters=self.parameters
            )
            dry = place.client.query(self.sql, config, job_retry=None, **patience(place))
            given = {field.name: spelled(field) for field in dry.schema or ()}
        self._match(given)
        return given

    def _match(self, given: dict[str, str]) -> None:
        where, known = f"{self.origin}: {self.contract.table}", self.contract.by_name
        for name in given:
            if name not in known:
                raise ContractError(f"{where} has no column {name!r}.{nearest(name, list(known))}")
        for column in self.contract.columns:
            kind = given.get(column.name)
            if kind is None:
                if not column.nullable and not column.type.is_histogram:
                    raise ContractError(
                        f"{where}: column {column.name!r} is missing; the query answers with "
                        f"{', '.join(given)}"
                    )
            elif kind not in _FITS.get(str(column.type), (str(column.type),)):
                hint = "; make it a TIMESTAMP, in UTC" if kind == "DATETIME" else ""
                raise ContractError(
                    f"{where}: column {column.name!r} is {kind}, not {column.type}{hint}"
                )

    def _rules(self) -> list[_Rule]:
        """Return every rule of the contract that refuses a row, in the order of the columns."""
        rules = []
        for column in self.contract.columns:
            name, raw = quoted(column.name), _raw(column)
            if self._is_narrowed(column):
                lost = f"{raw} IS NOT NULL AND {name} IS NULL"
                rules.append(_Rule(lost, column.name, "is not a whole number"))
            if not column.nullable and not column.type.is_histogram:
                rules.append(_Rule(f"{name} IS NULL", column.name, EMPTY))
        for check in self.contract.every_check:
            if check.severity == "fail":
                said = blame(self.contract, check)
                breaks = f"NOT ({check.sql('bigquery')})"
                rules.append(_Rule(breaks, said.column, said.why, said.others))
        return rules

    def _is_narrowed(self, column: Column) -> bool:
        return column.type.kind == "INT64" and self.given.get(column.name) not in (None, "INT64")

    def _value(self, column: Column) -> str:
        raw, kind = _raw(column), column.type
        if column.name not in self.given:
            return f"ARRAY<{kind.element}>[]" if kind.element else f"CAST(NULL AS {kind})"
        if self._is_narrowed(column):
            return f"IF({raw} = TRUNC({raw}), SAFE_CAST({raw} AS INT64), NULL)"
        return raw if self.given[column.name] == str(kind) else f"CAST({raw} AS {kind})"

    def stage(self, staging: str) -> None:
        """Put every row of the answer into a staging table, cast and judged."""
        columns = self.contract.columns
        raws = ", ".join(
            f"{quoted(name)} AS {_raw(self.contract.by_name[name])}" for name in self.given
        )
        values = ", ".join(f"{self._value(one)} AS {quoted(one.name)}" for one in columns)
        faults = " ".join(
            f"WHEN {rule.breaks} THEN {place}" for place, rule in enumerate(self.rules)
        )
        names = listed(self.contract.by_name)
        self.warehouse.asker.do(
            f"INSERT INTO {staging} ({names}, fault) "
            f"WITH given AS (SELECT {raws} FROM (\n{self.sql}\n)), "
            f"typed AS (SELECT *, {values} FROM given) "
            f"SELECT {names}, CASE {faults} END AS fault FROM typed",
            self.parameters,
            self.origin,
        )

    def judge(self, staging: str) -> Rows:
        """Return what waits in a staging table, once it is sound.

        Raises:
            ContractError: rows break a rule or have the same grain; the first are named.
        """
        grain = listed(self.contract.grain)
        day = f"DATE({quoted(self.contract.partition)})" if self.contract.partition else None
        days = (
            f"COUNT(DISTINCT {day}) AS days, MIN({day}) AS first_day, MAX({day}) AS last_day"
            if day
            else "1 AS days, CAST(NULL AS DATE) AS first_day, CAST(NULL AS DATE) AS last_day"
        )
        found = self.warehouse.asker.answer(
            "SELECT COUNT(*) AS row_count, COUNTIF(fault IS NOT NULL) AS faults, "
            f"(SELECT COUNT(*) FROM (SELECT 1 FROM {staging} GROUP BY {grain})) AS grains, {days} "
            f"FROM {staging}",
            [],
            self.origin,
        ).row(0, named=True)
        if found["faults"]:
            raise self._faulty(staging, found["faults"])
        if found["grains"] < found["row_count"]:
            raise self._repeated(staging, found["row_count"] - found["grains"])
        if not found["row_count"]:
            return Rows(0, 0)
        return Rows(found["row_count"], found["days"], found["first_day"], found["last_day"])

    def _faulty(self, staging: str, count: int) -> ContractError:
        grain = listed(self.contract.grain)
        rows = self.warehouse.asker.answer(
            f"SELECT {listed(self.contract.by_name)}, fault FROM {staging} "
            f"WHERE fault IS NOT NULL ORDER BY {grain} LIMIT {NAMED}",
            [],
            self.origin,
        ).to_dicts()
        lines = []
        for row in rows:
            rule = self.rules[row["fault"]]
            value = row[rule.column]
            called = f"column {rule.column!r}"
            if value is not None:
                called += f" is {shown(value)!r}"
            others = "".join(f", {name} is {shown(row[name])}" for name in rule.others)
            which = row_text({name: row[name] for name in self.contract.grain})
            lines.append(f"{self.origin}: {which}: {called}: {rule.why}{others}")
        return refusal(self.contract, "row", count, lines)

    def _repeated(self, staging: str, count: int) -> ContractError:
        grain = listed(self.contract.grain)
        rows = self.warehouse.asker.answer(
            f"SELECT {grain}, COUNT(*) AS row_count FROM {staging} GROUP BY {grain} "
            f"HAVING COUNT(*) > 1 ORDER BY {grain} LIMIT {NAMED}",
            [],
            self.origin,
        ).to_dicts()
        names = ", ".join(self.contract.grain)
        lines = [
            f"{self.origin}: {row['row_count']:,} rows have the same {names}: "
            f"{row_text({name: row[name] for name in self.contract.grain})}"
            for row in rows
        ]
        return refusal(self.contract, "duplicate row", count, lines)


def _raw(column: Column) -> str:
    """Return the name of a column as the query answered it, beside the column made from it."""
    return quoted(f"raw_{column.name}")
