"""Queries are read strictly, their parameters checked, their answers cast."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from fleetslo.errors import ContractError, ParameterError, UnknownParameter, UnknownQuery
from fleetslo.warehouse.queries import Query, for_duckdb, list_queries, read_query

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
SQL = """
SELECT service, SUM(request_count) AS request_count FROM requests
WHERE minute >= @start AND minute < @end AND service IN UNNEST(@services) GROUP BY service
"""
YAML = """
says: Requests of each service.
grain: [service]
parameters: {start: TIMESTAMP, end: TIMESTAMP, services: ARRAY<STRING>}
columns:
  service: {type: STRING}
  request_count: {type: INT64}
"""
TYPED_SQL = SQL.replace(
    "GROUP", "AND @day IS NULL AND @share = @least AND @strict AND @name = '' GROUP"
)
TYPED = YAML.replace(
    "ARRAY<STRING>",
    "ARRAY<STRING>, day: DATE, share: FLOAT64, least: INT64, strict: BOOL, name: STRING",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of the user's own, with one query in it."""
    (tmp_path / "fleetslo.toml").touch()
    (tmp_path / "queries" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def write(project: Path, sql: str = SQL, yaml: str = YAML, name: str = "mine/totals") -> None:
    (project / "queries" / f"{name}.sql").write_text(sql)
    (project / "queries" / f"{name}.yaml").write_text(yaml)


def bound(query: Query, **parameters: object) -> dict[str, object]:
    return query.bind(**({"start": START, "end": END} | parameters))


def test_a_project_adds_queries_to_the_packaged_ones(project: Path) -> None:
    assert {"mine/totals", "slo/days"} <= set(list_queries())
    query = read_query("mine/totals")
    assert (query.grain, query.owner, query.sliced_by) == (("service",), "", None)
    assert query.tables == ("requests",)


def test_a_project_hides_a_packaged_query_of_the_same_name(project: Path) -> None:
    (project / "queries" / "slo").mkdir()
    write(project, name="slo/days")
    assert read_query("slo/days").says == "Requests of each service."


def test_an_edited_query_is_read_again(project: Path) -> None:
    assert read_query("mine/totals").says == "Requests of each service."
    write(project, yaml=YAML.replace("Requests of", "All requests of"))
    assert read_query("mine/totals").says == "All requests of each service."


@pytest.mark.parametrize("name", ["slo/dayz", "tables/requests", "slo", "../pyproject", ""])
def test_unknown_query(name: str) -> None:
    with pytest.raises(UnknownQuery, match="there is no query"):
        read_query(name)


def test_unknown_query_suggests_one() -> None:
    with pytest.raises(UnknownQuery, match="Did you mean 'slo/days'"):
        read_query("slo/dayz")


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        (YAML + "sliced: service\n", "sliced.*Did you mean 'sliced_by'"),
        (YAML.replace("grain: [service]\n", ""), "grain: Field required"),
        (YAML.replace("[service]", "service"), "grain: Input should be a valid list"),
        (YAML.replace("[service]", "[squad]"), "names 'squad', no such column"),
        (YAML + "sliced_by: squad\n", "names 'squad', no such column"),
        (YAML + "lookback: 2 weeks\n", "'2 weeks' is no length; write 2d or 36h"),
        (YAML.replace("INT64", "INTEGER"), "column 'request_count'.*INTEGER"),
        (YAML.replace("start: TIMESTAMP", "start: INSTANT"), "parameter 'start'.*INSTANT"),
        (YAML.replace("ARRAY<STRING>", "ARRAY<STRUCT<a INT64>>"), "cannot be given as a value"),
        ("says: [", "not valid YAML"),
        ("- a list", "the document"),
    ],
)
def test_wrong_yaml_is_refused(project: Path, yaml: str, says: str) -> None:
    write(project, yaml=yaml)
    with pytest.raises(ContractError, match=rf"(?s)totals\.yaml: .*{says}"):
        read_query("mine/totals")


def test_sql_without_yaml_is_refused(project: Path) -> None:
    (project / "queries" / "mine" / "totals.yaml").unlink()
    with pytest.raises(ContractError, match=r"there is no totals\.yaml beside it"):
        read_query("mine/totals")


@pytest.mark.parametrize(
    ("sql", "yaml", "says"),
    [
        (TYPED_SQL, YAML, "the SQL names @day, which totals.yaml does not declare"),
        (SQL, TYPED, "totals.yaml declares 'day', which the SQL does not name"),
        (SQL, YAML + "lookback: 36h\n", "declares 'since', which the SQL does not name"),
        ("SELECT FROM WHERE (", YAML, "not a query in GoogleSQL: "),
        ("", YAML, "not a query in GoogleSQL: "),
    ],
)
def test_sql_and_yaml_must_agree(project: Path, sql: str, yaml: str, says: str) -> None:
    write(project, sql, yaml)
    with pytest.raises(ContractError, match=rf"totals\.sql: .*{says}"):
        read_query("mine/totals")


def test_bind_fills_in_all_services() -> None:
    assert bound(read_query("slo/days")) == {"start": START, "end": END, "services": []}


def test_bind_looks_back() -> None:
    values = bound(read_query("oncall/incidents"), services=("cart",))
    assert values["since"] == START - timedelta(days=7)
    assert values["services"] == ["cart"]


def test_bind_refuses_unknown_parameters() -> None:
    with pytest.raises(UnknownParameter, match=r"no parameter 'service'\. Did you mean 'services'"):
        bound(read_query("slo/days"), service="cart")


def test_bind_refuses_missing_parameters() -> None:
    with pytest.raises(ParameterError, match=r"needs 'window_minutes' \(ARRAY<INT64>\)"):
        bound(read_query("slo/window_totals"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"start": "2026-10-01"}, "start is '2026-10-01', not TIMESTAMP"),
        ({"start": datetime(2026, 10, 1)}, "give an instant with a zone"),  # noqa: DTZ001
        ({"start": date(2026, 10, 1)}, "start is .*, not TIMESTAMP"),
        ({"start": END}, "is not before"),
        ({"services": "cart"}, "services is 'cart'; give a list of STRING"),
        ({"services": [1]}, "an element of services is 1, not STRING"),
        ({"services": [None]}, "an element of services is None"),
        ({"least": True}, "least is True, not INT64"),
        ({"least": 1.0}, "least is 1.0, not INT64"),
        ({"day": START}, "day is .*, not DATE"),
        ({"share": "1"}, "share is '1', not FLOAT64"),
        ({"strict": 1}, "strict is 1, not BOOL"),
        ({"name": 1}, "name is 1, not STRING"),
    ],
)
def test_bind_refuses_wrong_values(project: Path, given: dict[str, object], says: str) -> None:
    write(project, TYPED_SQL, TYPED)
    right = {"day": START.date(), "share": 1, "least": 3, "strict": False, "name": "x"}
    with pytest.raises(ParameterError, match=says):
        bound(read_query("mine/totals"), **(right | given))


def test_bind_makes_a_float_of_a_whole_number(project: Path) -> None:
    write(project, TYPED_SQL, TYPED)
    values = bound(
        read_query("mine/totals"), day=START.date(), share=1, least=3, strict=False, name="x"
    )
    assert (values["share"], type(values["share"])) == (1.0, float)


def test_parse_reads_what_a_person_types(project: Path) -> None:
    write(project, TYPED_SQL, TYPED)
    query = read_query("mine/totals")
    typed = {
        "start": "2026-10-01T06:00",
        "services": "cart, search",
        "day": "2026-10-01",
        "share": "0.5",
        "least": "3",
        "strict": "True",
        "name": "a b",
    }
    assert query.parse(typed) == {
        "start": START + timedelta(hours=6),
        "services": ["cart", "search"],
        "day": START.date(),
        "share": 0.5,
        "least": 3,
        "strict": True,
        "name": "a b",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("least", "3.5"), ("share", "half"), ("strict", "yes"), ("day", "today"), ("start", "noon")],
)
def test_parse_refuses_what_it_cannot_read(project: Path, name: str, text: str) -> None:
    write(project, TYPED_SQL, TYPED)
    with pytest.raises(ParameterError, match=f"{name} is '{text}', not"):
        read_query("mine/totals").parse({name: text})


def test_cast_brings_columns_types_and_order(project: Path) -> None:
    query = read_query("mine/totals")
    answer = pl.DataFrame(
        {"request_count": [5, 7], "service": ["b", "a"]},
        schema_overrides={"request_count": pl.Decimal(38, 0)},
    )
    cast = query.cast(answer)
    assert cast.schema == {"service": pl.String, "request_count": pl.Int64}
    assert cast.rows() == [("a", 7), ("b", 5)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"service": ["a"]}, "lacks column 'request_count'; it has service"),
        ({}, "lacks column 'service'; it has none"),
        ({"service": ["a"], "request_count": [1], "squad": ["b"]}, "no column 'squad'"),
        ({"service": ["a"], "request_count": ["many"]}, "'request_count' is String, not INT64"),
        ({"service": [None], "request_count": [1]}, "'service' is null in 1 rows"),
    ],
)
def test_cast_names_what_breaks_the_contract(
    project: Path, answer: dict[str, list[object]], says: str
) -> None:
    with pytest.raises(ContractError, match=says):
        read_query("mine/totals").cast(
            pl.DataFrame(answer, schema_overrides={"service": pl.String} if answer else None)
        )


def test_cast_makes_null_histograms_empty() -> None:
    query = read_query("latency/endpoints")
    answer = pl.DataFrame(
        {
            "service": ["a"],
            "endpoint": [""],
            "request_count": [0],
            "error_count": [0],
            "latency": [None],
            "quality": ["exact"],
        }
    )
    assert query.cast(answer)["latency"].to_list() == [[]]


def test_for_duckdb_names_parameters_as_duckdb_does(project: Path) -> None:
    sql = for_duckdb(read_query("mine/totals"))
    assert "minute >= $start" in sql
    assert "LIST_CONTAINS(CAST($services AS TEXT[]), service)" in sql
    assert "CAST(SUM(request_count) AS BIGINT) AS request_count" in sql
