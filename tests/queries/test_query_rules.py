"""What every SQL file keeps to: its header, its YAML, its layout, and bounds on what it reads."""

import re
from itertools import takewhile
from pathlib import Path

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter
from sqlglot import exp

from fleetslo import resources
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.dialect import names_in
from fleetslo.warehouse.queries import Query, list_queries, read_query
from fleetslo.warehouse.sources import list_sources, read_source

FILES = dict(resources.listing("queries", "*/*.sql"))
NAMES = [name.removesuffix(".sql") for name in FILES if name.split("/")[0] != "sources"]
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(params=NAMES)
def query(request: pytest.FixtureRequest) -> Query:
    return read_query(request.param)


@pytest.fixture(scope="module")
def linter() -> Linter:
    return Linter(FluffConfig.from_path(str(PROJECT)))


def selects_of(query: Query) -> list[exp.Select]:
    return list(sqlglot.parse_one(query.sql, read="bigquery").find_all(exp.Select))


def test_header_is_a_sentence_and_the_grain(query: Query) -> None:
    lines = query.sql.splitlines()
    header = list(takewhile(lambda line: line.startswith("--"), lines))
    assert header[-1] == f"-- grain: one row per {', '.join(query.grain)}"
    sentence = " ".join(line.removeprefix("-- ") for line in header[:-1])
    assert re.fullmatch(r"[A-Z].*\.", sentence), sentence


def test_yaml_names_the_parameters_and_columns_of_the_sql(query: Query) -> None:
    statement = sqlglot.parse_one(query.sql, read="bigquery")
    named = {parameter.name for parameter in statement.find_all(exp.Parameter)}
    assert named == set(query.bound_types)
    answers = [statement.left, statement.right] if isinstance(statement, exp.Union) else [statement]
    while isinstance(answers[0], exp.Union):
        answers = [answers[0].left, answers[0].right, *answers[1:]]
    for answer in answers:
        assert answer.named_selects == [column.name for column in query.columns]


def test_yaml_says_who_and_what(query: Query) -> None:
    assert query.owner
    assert query.says.endswith(".")
    assert {"start", "end", "services"} <= set(query.parameters)


def unbounded(sql: str, since: str = "start") -> list[str]:
    """Return the partitioned tables that some SELECT reads without both bounds on their days.

    BigQuery's ``require_partition_filter`` wants the bare partition column compared with what is
    known before the query runs, in the SELECT that reads the table.
    """
    contracts, found = read_contracts(), []
    for select in sqlglot.parse_one(sql, read="bigquery").find_all(exp.Select):
        where = select.args.get("where")
        conditions: list[exp.Expression] = []
        if where is not None:
            whole = where.this.unnest()
            conditions = list(whole.flatten()) if isinstance(whole, exp.And) else [whole]
        written = {condition.sql("bigquery") for condition in conditions}
        sources = [select.args.get("from_"), *(select.args.get("joins") or [])]
        for table in (source.this for source in sources if source is not None):
            of = contracts.get(table.name) if isinstance(table, exp.Table) else None
            if of is None or of.partition is None:
                continue
            names = [of.partition, f"{table.alias_or_name}.{of.partition}"]
            if not any({f"{n} >= @{since}", f"{n} < @end"} <= written for n in names):
                found.append(of.table)
    return found


def test_facts_are_bounded_where_they_are_read(query: Query) -> None:
    assert unbounded(query.sql, "since" if query.lookback else "start") == []


@pytest.mark.parametrize(
    "where",
    [
        "TRUE",
        "minute >= @start",
        "minute >= @start OR minute < @end",
        "NOT (minute >= @start AND minute < @end)",
        "TIMESTAMP_TRUNC(minute, DAY) >= @start AND minute < @end",
        "minute >= (SELECT MAX(hour) FROM latest) AND minute < @end",
    ],
)
def test_a_table_without_bounds_is_found(where: str) -> None:
    assert unbounded(f"SELECT service FROM requests WHERE {where}") == ["requests"]


def test_a_joined_table_has_bounds_of_its_own() -> None:
    bounds = "{0}.minute >= @start AND {0}.minute < @end"
    joined = (
        "SELECT a.service FROM requests AS a INNER JOIN errors AS b ON a.minute = b.minute WHERE "
    )
    assert unbounded(joined + bounds.format("a")) == ["errors"]
    assert unbounded(joined + " AND ".join(map(bounds.format, "ab"))) == []


@pytest.mark.parametrize("name", list_sources())
def test_a_source_reads_what_the_user_has_and_no_table_of_ours(name: str) -> None:
    assert names_in(read_source(name).sql)[0] == ("raw",)


def test_every_select_keeps_the_style(query: Query) -> None:
    for select in selects_of(query):
        assert not list(select.find_all(exp.Star)) or "COUNT(*)" in select.sql()
        for join in select.args.get("joins") or []:
            assert join.side or join.kind, "a join says its type"
        group = select.args.get("group")
        assert not group or not list(group.find_all(exp.Literal)), "GROUP BY names, not numbers"


@pytest.mark.long  # 'make check' lays all of them out in one go
@pytest.mark.parametrize("name", NAMES)
def test_layout(name: str, linter: Linter) -> None:
    path = FILES[f"{name}.sql"]
    found = linter.lint_string(path.read_text(encoding="utf-8"), fname=str(path)).get_violations()
    assert [f"{path}:{one.line_no}: {one.desc()}" for one in found] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("rollups/")])
def test_a_rollup_answers_with_the_columns_of_its_table(name: str) -> None:
    target = read_contracts().get(name.removeprefix("rollups/"))
    query = read_query(name)
    if target is None:
        assert name.startswith("rollups/slo_minutes_")
        return
    mine = [(column.name, column.type, column.nullable) for column in query.columns]
    assert mine == [(column.name, column.type, column.nullable) for column in target.columns]
    assert set(query.grain) == set(target.grain)


@pytest.mark.parametrize("name", ["delivery/deployments", "oncall/incidents"])
def test_events_are_returned_with_all_their_columns(name: str) -> None:
    table = read_contracts()[name.split("/")[1]]
    mine = [(column.name, column.type, column.nullable) for column in read_query(name).columns]
    assert mine == [(column.name, column.type, column.nullable) for column in table.columns]


def test_list_queries_leaves_out_what_is_no_question() -> None:
    assert set(list_queries()) == {name for name in NAMES if not name.startswith("rollups/")}
