"""GoogleSQL as DuckDB reads it, with the few forms that a literal translation makes slow.

sqlglot translates; before it does, these are rewritten, each to something that means the same
and that the query cases hold equal to Google's reference implementation:

===================================  ====================================  =====================
GoogleSQL                            DuckDB                                measured, two cores
===================================  ====================================  =====================
``x IN UNNEST(array)``               ``list_contains(array, x)``           18 × (8 M rows)
``FROM t CROSS JOIN UNNEST(t.a) e``  ``FROM (SELECT *, UNNEST(a) AS e …)``  2 × (20 M buckets)
``(SELECT SUM(…) FROM UNNEST(a))``   ``list_sum(list_transform(a, …))``    20 × (50 M buckets)
``TIMESTAMP_TRUNC(x, DAY)``, ``ADD``,  whole microseconds since 1970       5 × (81 M minutes)
``SUB``
``WITH rows AS (SELECT … FROM t)``   ``WITH rows AS NOT MATERIALIZED (…)``   2 × (each use reads
                                                                           its own columns only)
===================================  ====================================  =====================

Time arithmetic on microseconds is also right whatever time zone the session has. ``SUM`` of
integers, a HUGEINT in DuckDB, is cast back to INT64 where a query returns it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

from fleetslo.errors import ContractError
from fleetslo.warehouse.types import Type

# Microseconds of the units whose length never changes in UTC.
_MICROSECONDS = {
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
}


def _call(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _microseconds(node: exp.Expression) -> int | None:
    unit = node.args.get("unit")
    return _MICROSECONDS.get(unit.name.upper()) if unit is not None else None


def _truncated(node: exp.TimestampTrunc) -> exp.Expression:
    step = _microseconds(node)
    if step is None:
        return node
    since = _call("epoch_us", node.this)
    length = exp.Literal.number(step)
    return _call("make_timestamptz", exp.IntDiv(this=since, expression=length) * length.copy())


def _moved(node: exp.TimestampAdd | exp.TimestampSub) -> exp.Expression:
    step = _microseconds(node)
    if step is None:
        return node
    amount = node.expression
    count = exp.Literal.number(amount.name) if isinstance(amount, exp.Literal) else amount
    length = exp.cast(count, "BIGINT") * exp.Literal.number(step)
    since = _call("epoch_us", node.this)
    moved = since + length if isinstance(node, exp.TimestampAdd) else since - length
    return _call("make_timestamptz", moved)


def _contained(node: exp.In) -> exp.Expression:
    unnest = node.args.get("unnest")
    if not isinstance(unnest, exp.Unnest):
        return node
    return _call("list_contains", unnest.expressions[0], node.this)


def _entry(unnest: exp.Expression) -> exp.Identifier | None:
    """Return what ``UNNEST(array) AS entry`` calls an element, or None if it is not such."""
    alias = unnest.args.get("alias")
    if not isinstance(unnest, exp.Unnest) or alias is None or unnest.args.get("offset"):
        return None
    name: exp.Identifier = exp.to_identifier(alias.columns[0].name)
    return name


def _summed(node: exp.Subquery) -> exp.Expression:
    """Turn ``(SELECT SUM(value) FROM UNNEST(array) AS e WHERE condition)`` into list functions."""
    select = node.this
    if not isinstance(select, exp.Select) or len(select.expressions) != 1:
        return node
    total, source = select.expressions[0].unalias(), select.args.get("from_")
    plain = {"expressions", "from_", "where"}
    if (
        not isinstance(total, exp.Sum)
        or isinstance(total.this, exp.Distinct)
        or source is None
        or any(value for key, value in select.args.items() if key not in plain)
    ):
        return node
    unnest, where = source.this, select.args.get("where")
    entry, value = _entry(unnest), total.this
    if entry is None:
        return node
    if where is not None:
        value = exp.Case(ifs=[exp.If(this=where.this, true=value)])
    each = exp.Lambda(this=value, expressions=[entry])
    return _call("list_sum", _call("list_transform", unnest.expressions[0], each))


def _unnested(node: exp.Select) -> exp.Expression:
    """Turn a cross join with an array of the same row into an UNNEST of the select list."""
    source, joins = node.args.get("from_"), node.args.get("joins") or []
    if source is None or len(joins) != 1 or not isinstance(source.this, exp.Table):
        return node
    unnest, entry = joins[0].this, _entry(joins[0].this)
    if entry is None or joins[0].side or joins[0].args.get("on"):
        return node
    table, array = source.this, unnest.expressions[0]
    if not isinstance(array, exp.Column) or array.table not in ("", table.alias_or_name):
        return node
    rows = exp.select("*", exp.alias_(_call("UNNEST", exp.column(array.name)), entry.name))
    node.args["from_"].set("this", rows.from_(table.copy()).subquery(table.alias_or_name))
    node.set("joins", None)
    return node


def _repeated(node: exp.CTE) -> exp.Expression:
    """Let a CTE that only filters rows be read anew by each use, not kept in memory for all."""
    select = node.this
    plain = {"expressions", "from_", "where"}
    if (
        isinstance(select, exp.Select)
        and not any(value for key, value in select.args.items() if key not in plain)
        and not any(answer.find(exp.AggFunc) for answer in select.expressions)
    ):
        node.set("materialized", False)
    return node


def _divided(node: exp.IntDiv) -> exp.Expression:
    """Keep the operands of DIV whole: written as ``a + b // c`` it would mean something else."""
    for side in ("this", "expression"):
        if isinstance(node.args[side], exp.Binary):
            node.set(side, exp.paren(node.args[side].copy()))
    return node


def _rewritten(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.IntDiv):
        return _divided(node)
    if isinstance(node, exp.TimestampTrunc):
        return _truncated(node)
    if isinstance(node, exp.TimestampAdd | exp.TimestampSub):
        return _moved(node)
    if isinstance(node, exp.In):
        return _contained(node)
    if isinstance(node, exp.Subquery):
        return _summed(node)
    if isinstance(node, exp.Select):
        return _unnested(node)
    if isinstance(node, exp.CTE):
        return _repeated(node)
    return node


def _answers(statement: Any) -> Iterable[exp.Select]:
    """Yield the SELECTs whose rows the statement returns: one, or each branch of a UNION."""
    if isinstance(statement, exp.SetOperation):
        yield from _answers(statement.left)
        yield from _answers(statement.right)
    elif isinstance(statement, exp.Select):
        yield statement


def to_duckdb(sql: str, parameters: Mapping[str, Type], columns: Mapping[str, Type]) -> str:
    """Return a GoogleSQL statement as DuckDB reads it; ``@start`` becomes ``$start``.

    Args:
        sql: one query in GoogleSQL.
        parameters: the type of each parameter; arrays are cast, since an empty list has none.
        columns: the type of each column of the answer.
    """
    statement = sqlglot.parse_one(sql, read="bigquery")
    for node in list(statement.find_all(exp.Parameter)):
        kind = parameters.get(node.name)
        if kind is not None and kind.element is not None:
            node.replace(exp.cast(node.copy(), exp.DataType.build(kind.duckdb, dialect="duckdb")))
    statement = statement.transform(_rewritten)
    for select in _answers(statement):
        for answer in list(select.expressions):
            kind, value = columns.get(answer.alias_or_name), answer.unalias()
            if kind is not None and "INT64" in str(kind):
                whole = exp.cast(value.copy(), exp.DataType.build(kind.duckdb, dialect="duckdb"))
                answer.replace(exp.alias_(whole, answer.alias_or_name))
    return str(statement.sql(dialect="duckdb", comments=False))


def names_in(sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stored tables and the parameters that a GoogleSQL statement names, both sorted.

    CTEs are not tables.

    Raises:
        ContractError: the text is not one query in GoogleSQL.
    """
    try:
        statement = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise ContractError(f"not a query in GoogleSQL: {first}") from None
    nouns = {cte.alias for cte in statement.find_all(exp.CTE)}
    tables = {table.name for table in statement.find_all(exp.Table)}
    parameters = {parameter.name for parameter in statement.find_all(exp.Parameter)}
    return tuple(sorted(tables - nouns - {""})), tuple(sorted(parameters))
