"""Mapping files: what they say, what is refused, and rows of files of the user's own."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlglot
from typer.testing import CliRunner

from fleetslo import resources
from fleetslo.cli import app
from fleetslo.errors import ContractError, UnknownName
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.mappings import list_mappings, read_mapping

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
YAML = """says: Requests at our load balancer.
source: load-balancer/log_sink
from: acme-logs.balancer.requests
time: at
columns:
  logged_at: at
  service: REGEXP_EXTRACT(backend, r'^k8s-(.*)$')
  region:
  version: "NULL"
  method: http.verb
  url: http.url
  status: code
  status_details: "''"
  latency_s: millis / 1000
  sample_rate: "0.5"
reads: {at: TIMESTAMP, backend: STRING, code: STRING, millis: INT64, http: "STRUCT<verb STRING, url STRING>"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a project that has a mapping ``our-lb`` and an embedded warehouse."""
    (tmp_path / resources.PROJECT_FILE).write_text("")
    folder = tmp_path / "queries" / "mappings"
    folder.mkdir(parents=True)
    (folder / "our-lb.yaml").write_text(YAML)
    (tmp_path / "log.ndjson").write_text(
        '{"at": "2026-10-01T12:00:07Z", "backend": "k8s-cart", "code": "200", "millis": 250,'
        ' "http": {"verb": "GET", "url": "/cart/17"}, "unread": 1}\n'
        '{"at": "2026-10-01T12:00:08Z", "backend": "k8s-cart", "code": "503", "millis": 3,'
        ' "http": {"verb": "GET", "url": "/cart/18"}}\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{tmp_path / 'warehouse'}")
    open_warehouse(f"duckdb://{tmp_path / 'warehouse'}", must_exist=False).create()
    return tmp_path


def says(project: Path, text: str) -> Path:
    file = project / "queries" / "mappings" / "our-lb.yaml"
    file.write_text(text)
    return file


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["warehouse", *arguments])
    error = result.exception
    return result.exit_code, f"{result.output}{error if not isinstance(error, SystemExit) else ''}"


def test_columns_of_files_are_mapped_onto_a_source(project: Path) -> None:
    source = read_mapping("our-lb").for_files("requests")
    [row] = source.rows([project / "log.ndjson"]).to_dicts()
    # Each of the two entries stands for 1 / 0.5 = 2 requests; 503 is a fault.
    assert (row["minute"], row["service"], row["endpoint"]) == (NOON, "cart", "GET /cart/{id}")
    assert (row["request_count"], row["error_count"], row["observed_count"]) == (4, 2, 2)
    # 250 ms is 0.25 s, the upper bound of bucket -33.
    assert row["latency"] == [{"bucket": -33, "count": 2}]


def test_one_mapping_serves_every_source_of_its_folder(project: Path) -> None:
    [row] = read_mapping("our-lb").for_files("errors").rows([project / "log.ndjson"]).to_dicts()
    assert (row["error"], row["error_count"], row["is_fault"]) == ("503", 2, True)


def test_a_load_through_a_mapping_is_a_load(project: Path) -> None:
    code, output = run("load", "requests", "log.ndjson", "--mapping", "our-lb")
    assert (code, "requests: 1 rows in 1 days" in output) == (0, True), output
    assert "already loaded" in run("load", "requests", "log.ndjson", "--mapping", "our-lb")[1]
    warehouse = open_warehouse(f"duckdb://{project / 'warehouse'}")
    period = {"start": NOON, "end": NOON + timedelta(hours=1)}
    assert warehouse.query("requests/minutes", **period)["request_count"].sum() == 4


def test_a_column_that_is_not_mapped_is_the_one_of_the_same_name(project: Path) -> None:
    says(
        project,
        "says: Entities.\nsource: backstage/services\ncolumns: {metadata: metadata, spec: spec}\n",
    )
    (project / "entities.csv").write_text(
        'kind,metadata,spec\nComponent,"{""name"": ""cart""}","{""owner"": ""payments""}"\n'
    )
    source = read_mapping("our-lb").for_files("services")
    [row] = source.rows([project / "entities.csv"]).to_dicts()
    assert (row["service"], row["squad"]) == ("cart", "payments")


def test_parameters_and_the_step_are_those_of_the_mapping(project: Path) -> None:
    says(project, "says: Deployments.\nsource: four-keys\nparameters: {service: shop}\n")
    source = read_mapping("our-lb").source_for("deployments")
    assert source.values({}) == {"service": "shop"}
    assert source.values({"service": "cart"}) == {"service": "cart"}
    says(project, YAML + "step: 5m\n")
    assert read_mapping("our-lb").source_for("requests").step == timedelta(minutes=5)


def test_a_file_under_other_parameters_is_loaded_again(project: Path) -> None:
    (project / "entities.csv").write_text(
        'kind,metadata,spec\nComponent,"{""name"": ""cart""}",{}\n'
    )
    backstage = "says: x\nsource: backstage\ncolumns: {metadata: metadata, spec: spec}\n"
    load = ("load", "services", "entities.csv", "--mapping", "our-lb")
    for since in ("2026-01-01", "2026-02-01"):
        says(project, backstage + f"parameters: {{valid_from: '{since}'}}\n")
        assert "services: 1 rows" in run(*load)[1]
    assert "already loaded" in run(*load)[1]


def test_the_statement_is_one_query_the_same_each_time(project: Path) -> None:
    mapping = read_mapping("our-lb")
    source = mapping.source_for("requests")
    sql = mapping.statement(source, "`acme-logs.balancer.requests`", bounded=True)
    assert sql == mapping.statement(source, "`acme-logs.balancer.requests`", bounded=True)
    [statement] = sqlglot.parse(sql, read="bigquery")
    assert statement is not None
    # The table is bounded by its bare column where it is read, and the answer by its minutes.
    assert "FROM `acme-logs.balancer.requests`\n  WHERE\n    at >= @start\n    AND at < @end" in sql
    assert sql.endswith("WHERE minute >= @start AND minute < @end")
    assert "CAST(millis / 1000 AS FLOAT64) AS `latency_s`" in sql
    assert "CAST(NULL AS STRING) AS `region`" in sql


def test_a_source_that_looks_back_is_read_from_earlier_and_answers_from_the_start(
    project: Path,
) -> None:
    says(project, "says: Apollo.\nsource: apollo\ntime: sent_at\ncolumns: {observed_at: sent_at}\n")
    mapping = read_mapping("our-lb")
    sql = mapping.statement(mapping.source_for("requests"), "t", bounded=True)
    assert "sent_at >= @since\n    AND sent_at < @end" in sql
    assert sql.endswith("WHERE minute >= @start AND minute < @end")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "a mapping has a source and columns"),
        ("a: [", "not valid YAML"),
        (YAML + "tabel: x\n", "unknown key 'tabel'"),
        (YAML.partition("\n")[2], "'says' is missing"),
        (
            YAML.replace("load-balancer/log_sink", "load-balancer/log_sik"),
            "source: there is no 'load-balancer/log_sik'. Did you mean 'load-balancer/log_sink'",
        ),
        (
            YAML.replace("  status: code", "  statsu: code"),
            "columns: source load-balancer/log_sink reads no 'statsu'. Did you mean 'status'",
        ),
        (YAML.replace("millis / 1000", "millis / "), "columns: latency_s: 'millis /' is not one"),
        (YAML.replace("millis / 1000", "millis, 1"), "columns: latency_s: 'millis, 1' is not one"),
        (YAML.replace("status: code", "status: code FROM x"), "columns: status: .* is not one"),
        (YAML.replace("time: at", "time: DATE(at)"), "time: 'DATE.at.' is no column"),
        (YAML.replace("acme-logs.balancer.", ""), "from: 'requests' is no table"),
        (YAML.replace("millis: INT64", "millis: LONG"), "reads: millis: 'LONG' is not a type"),
        (YAML + "step: 5 minutes\n", "step '5 minutes' is no length"),
        (YAML.replace("columns:", "columns: [status]\nx:"), "unknown key 'x'"),
        ("says: x\nsource: apollo\ncolumns: [status]\n", "columns: write a mapping of names"),
    ],
)
def test_a_mapping_that_is_wrong_is_named_with_its_key(
    project: Path, text: str, message: str
) -> None:
    file = says(project, text)
    with pytest.raises(ContractError, match=message) as refused:
        read_mapping("our-lb")
    assert str(refused.value).startswith(f"{file}: ")


def test_what_a_mapping_cannot_fill_is_named(project: Path) -> None:
    with pytest.raises(
        ContractError, match=r"our-lb.yaml: source: 'load-balancer/log_sink' does not fill 'pages'; "
        "it fills errors, requests",
    ):  # fmt: skip
        read_mapping("our-lb").source_for("pages")
    says(project, YAML + "parameters: {rate: 1}\n")
    with pytest.raises(ContractError, match=r"parameters: source .* has no 'rate'. It has: none"):
        read_mapping("our-lb").source_for("requests")


def test_a_column_of_a_file_whose_type_is_not_said_is_named(project: Path) -> None:
    says(project, YAML.replace("backend: STRING, ", ""))
    with pytest.raises(
        ContractError, match=r"columns: service: the type of 'backend' is not said; write reads: "
    ):
        read_mapping("our-lb").for_files("requests")


def test_an_array_of_labels_is_read_through_a_sub_select(project: Path) -> None:
    says(
        project,
        YAML.replace(
            "REGEXP_EXTRACT(backend, r'^k8s-(.*)$')",
            "(SELECT MAX(label.value) FROM UNNEST(labels) AS label WHERE label.key = 'app')",
        ).replace("backend: STRING", 'labels: "ARRAY<STRUCT<key STRING, value STRING>>"'),
    )
    row = {
        "at": [NOON], "code": ["200"], "millis": [100], "http": [{"verb": "GET", "url": "/"}],
        "labels": [[{"key": "zone", "value": "b"}, {"key": "app", "value": "cart"}]],
    }  # fmt: skip
    pl.DataFrame(row).write_parquet(project / "log.parquet")
    [found] = (
        read_mapping("our-lb").for_files("requests").rows([project / "log.parquet"]).to_dicts()
    )
    assert found["service"] == "cart"


def test_the_mapping_of_the_readme_fits_its_source(project: Path) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```yml\n(.*?)^```", readme, re.S | re.M)
    says(project, text)
    mapping = read_mapping("our-lb")
    sql = mapping.statement(mapping.source_for("requests"), "t", bounded=True)
    assert "timestamp >= @start" in sql
    answered = sqlglot.parse_one(sql, read="bigquery").named_selects  # type: ignore[attr-defined]
    assert answered == list(contract("requests").by_name)


def test_mappings_are_listed_and_an_unknown_one_gets_a_suggestion(project: Path) -> None:
    assert list_mappings() == ["our-lb"]
    with pytest.raises(UnknownName, match=r"no mapping 'our-bl'. Did you mean 'our-lb'\?"):
        read_mapping("our-bl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mapping", "our-lb"], "reads files alone; name files"),
        (
            ["log.ndjson", "--mapping", "our-lb", "--source", "apollo/requests"],
            "leave out --source",
        ),
        (["log.ndjson", "--mapping", "our-lb", "--from", "2026-10-01"], "of files every row is"),
        (["log.ndjson", "--to", "2026-10-01"], "of files every row is loaded"),
        ([], "no file to load into requests"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    project: Path, arguments: list[str], message: str
) -> None:
    code, output = run("load", "requests", *arguments)
    assert code != 0
    assert message in output
