"""Rules that rows must keep, as GoogleSQL expressions that DuckDB understands too.

An expression holds unless it is false; null is not false. Beside GoogleSQL's own functions there
are three for histograms: ``HISTOGRAM_TOTAL(column)``, its counts added up, and
``HISTOGRAM_IN_RANGE`` and ``HISTOGRAM_COUNTED``, which every histogram column has to keep.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from fleetslo.errors import ContractError, nearest
from fleetslo.warehouse.dialect import to_duckdb
from fleetslo.warehouse.types import Type

Severity = Literal["fail", "warn"]

# Scale-4 buckets: -1024 holds everything at or under 2^-63.9 s (0 included), 1023 ends at 2^64 s.
LOWEST_BUCKET, HIGHEST_BUCKET = -1024, 1023

# Our functions in each dialect. DuckDB's list functions are seven times as fast as the correlated
# UNNEST that a literal translation writes.
_FUNCTIONS = {
    "HISTOGRAM_TOTAL": {
        "duckdb": "coalesce(list_sum(list_transform({0}, lambda b: b.count)), 0)",
        "bigquery": "(SELECT COALESCE(SUM(b.count), 0) FROM UNNEST({0}) AS b)",
    },
    "HISTOGRAM_IN_RANGE": {
        "duckdb": f"len(list_filter({{0}}, lambda b: "
        f"coalesce(b.bucket NOT BETWEEN {LOWEST_BUCKET} AND {HIGHEST_BUCKET}, true))) = 0",
        "bigquery": "NOT EXISTS (SELECT 1 FROM UNNEST({0}) AS b WHERE "
        f"COALESCE(b.bucket NOT BETWEEN {LOWEST_BUCKET} AND {HIGHEST_BUCKET}, TRUE))",
    },
    "HISTOGRAM_COUNTED": {
        "duckdb": "len(list_filter({0}, lambda b: coalesce(b.count < 0, true))) = 0",
        "bigquery": "NOT EXISTS (SELECT 1 FROM UNNEST({0}) AS b WHERE COALESCE(b.count < 0, TRUE))",
    },
}
_CALL = re.compile(r"(HISTOGRAM_[A-Z_]+)\(\s*([A-Za-z_]\w*)\s*\)")


@dataclass(frozen=True)
class Check:
    """A rule that every row must keep; ``expression`` is GoogleSQL and true or null if it does."""

    name: str
    expression: str
    severity: Severity = "fail"
    column: str | None = None

    def sql(self, dialect: Literal["duckdb", "bigquery"]) -> str:
        """Return the expression in a dialect."""
        return _expression(self.expression, dialect)


@lru_cache(maxsize=1024)
def _expression(text: str, dialect: str) -> str:
    calls = {f"{name}__{column}": (name, column) for name, column in _CALL.findall(text)}
    sql = _CALL.sub(r"\1__\2", text)
    if dialect != "bigquery":
        sql = to_duckdb(f"SELECT {sql}", {}, {}).removeprefix("SELECT ")
    for mark, (name, column) in calls.items():
        if name not in _FUNCTIONS:
            raise ContractError(
                f"{text!r}: there is no function {name}.{nearest(name, list(_FUNCTIONS))}"
            )
        sql = sql.replace(mark, _FUNCTIONS[name][dialect].format(column))
    return sql


def type_checks(name: str, kind: Type) -> list[Check]:
    """Return the rules that follow from a column's type alone."""
    if kind.is_histogram:
        return [
            Check(
                f"{name} buckets between {LOWEST_BUCKET} and {HIGHEST_BUCKET}",
                f"HISTOGRAM_IN_RANGE({name})",
                column=name,
            ),
            Check(f"{name} counts >= 0", f"HISTOGRAM_COUNTED({name})", column=name),
        ]
    if kind.kind == "FLOAT64":
        return [Check(f"{name} is finite", f"NOT (IS_NAN({name}) OR IS_INF({name}))", column=name)]
    return []
