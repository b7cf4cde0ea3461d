"""Source mappings: their YAML, their parameters, and the files that they read."""

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from fleetslo import resources
from fleetslo.errors import (
    ContractError,
    DataFileError,
    ParameterError,
    UnknownName,
    UnknownParameter,
    UnknownTable,
    WarehouseError,
)
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.raw import read_raw
from fleetslo.warehouse.sources import Parameter, list_sources, read_source
from fleetslo.warehouse.types import Type

SQL = """-- Batches as an indicator.
-- grain: one row per minute, service, sli
SELECT
  started_at AS minute,
  job AS service,
  'batches' AS sli,
  IF(rows_lost = 0, 1, 0) AS good_count,
  1 AS valid_count
FROM raw
WHERE job IN UNNEST(@jobs)
"""
YAML = """says: Batches that lost nothing.
reads:
  raw: {started_at: TIMESTAMP, job: STRING, rows_lost: INT64}
fills: sli_events
step: 5m
parameters:
  jobs: {type: ARRAY<STRING>, says: which jobs}
"""
READS = {"started_at": Type("TIMESTAMP"), "job": Type("STRING"), "rows_lost": Type("INT64")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a project folder that has a source ``batches`` of its own."""
    (tmp_path / resources.PROJECT_FILE).write_text("")
    folder = tmp_path / "queries" / "sources"
    folder.mkdir(parents=True)
    (folder / "batches.sql").write_text(SQL)
    (folder / "batches.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def batches(project: Path) -> Path:
    file = project / "batches.csv"
    file.write_text(
        "started_at,job,rows_lost,operator\n"
        "2026-10-01T06:00Z,import,0,ann\n"
        "2026-10-01T07:05+01:00,import,7,bob\n"
        "2026-10-01T06:10Z,export,0,\n"
    )
    return file


def yaml_says(project: Path, text: str) -> None:
    (project / "queries" / "sources" / "batches.yaml").write_text(text)


def test_a_source_of_the_users_own(project: Path, batches: Path) -> None:
    source = read_source("batches")
    assert (source.fills, source.step, source.says) == (
        "sli_events",
        timedelta(minutes=5),
        "Batches that lost nothing.",
    )
    assert source.rows([batches], {"jobs": ["import"]}).rows() == [
        (datetime(2026, 10, 1, 6, 0, tzinfo=UTC), "import", "batches", 1, 1),
        (datetime(2026, 10, 1, 6, 5, tzinfo=UTC), "import", "batches", 0, 1),
    ]


def test_a_source_may_look_back_and_say_what_is_usual(project: Path) -> None:
    yaml_says(project, YAML + "lookback: 10m\nusual: {job: name}\ntime: started\n")
    source = read_source("batches")
    assert (source.lookback, source.usual, source.time) == (
        timedelta(minutes=10),
        {"job": "name"},
        "started",
    )
    assert read_source(source) is source


def test_several_files_are_one_table(project: Path, batches: Path) -> None:
    again = project / "more.csv.gz"
    again.write_bytes(gzip.compress(b"job,started_at,rows_lost\nimport,2026-10-02T06:00Z,0\n"))
    assert read_source("batches").rows([batches, again], {"jobs": "import,export"}).height == 4


def test_the_packaged_sources_are_listed_and_can_be_read(project: Path) -> None:
    names = list_sources()
    assert {"batches", "govuk/deployments", "nezha/requests", "petshop/requests"} <= set(names)
    for name in names:
        source = read_source(name)
        assert source.says
        assert set(source.reads)
        contract(source.fills)
    assert read_source("petshop/requests").step == timedelta(minutes=5)


def test_an_unknown_source_gets_a_suggestion(project: Path) -> None:
    with pytest.raises(
        UnknownName, match=r"no source 'petshop/request'. Did you mean 'petshop/requests'\?"
    ):
        read_source("petshop/request")


def test_an_answer_that_breaks_the_contract_names_the_source(project: Path, batches: Path) -> None:
    wrong = SQL.replace("good_count", "godo_count")
    (project / "queries" / "sources" / "batches.sql").write_text(wrong)
    with pytest.raises(
        ContractError,
        match=r"source batches: sli_events: .*'godo_count'. Did you mean 'good_count'",
    ):
        read_source("batches").rows([batches], {"jobs": []})


def test_sql_that_fails_names_the_source(project: Path, batches: Path) -> None:
    wrong = SQL.replace("IF(rows_lost = 0, 1, 0)", "lost_rows")
    (project / "queries" / "sources" / "batches.sql").write_text(wrong)
    with pytest.raises(WarehouseError, match=r"source batches: .*lost_rows"):
        read_source("batches").rows([batches], {"jobs": []})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "a source is a mapping with says, reads and fills"),
        ("a: [", "not valid YAML"),
        (YAML + "tabel: x\n", "unknown key 'tabel'"),
        (YAML.replace("says: Batches that lost nothing.\n", ""), "'says' is missing"),
        (YAML.replace("  raw: {", "  rows: {"), "reads names one table, raw"),
        (YAML.replace("job: STRING", "job: TEXT"), "'TEXT' is not a type"),
        (YAML.replace("5m", "5 minutes"), "step '5 minutes' is no length; write 60s, 5m or 1h"),
        (YAML.replace("5m", "0m"), "step '0m' is no length"),
        (YAML + "lookback: long\n", "lookback 'long' is no length"),
        (YAML + "usual: {jbo: name}\n", "unknown key 'jbo'. Did you mean 'job'"),
        (YAML + "usual: name\n", "usual is a mapping of columns of raw"),
        (
            YAML.replace("{type: ARRAY<STRING>, says: which jobs}", "all"),
            "parameter 'jobs' needs a type",
        ),
        (YAML.replace("says: which", "say: which"), "unknown key 'say'. Did you mean 'says'"),
    ],
)
def test_yaml_that_is_wrong_is_named(project: Path, text: str, message: str) -> None:
    yaml_says(project, text)
    with pytest.raises(ContractError, match=message):
        read_source("batches")


def test_a_source_fills_a_table_that_exists(project: Path) -> None:
    yaml_says(project, YAML.replace("fills: sli_events", "fills: sli_event"))
    with pytest.raises(UnknownTable, match=r"'sli_event'. Did you mean 'sli_events'"):
        read_source("batches")


def test_parameters_are_asked_for_by_name(project: Path) -> None:
    source = read_source("batches")
    with pytest.raises(
        ParameterError, match=r"source batches needs jobs \(which jobs\); give it as -p jobs="
    ):
        source.values({})
    with pytest.raises(
        UnknownParameter, match=r"no parameter 'job'. Did you mean 'jobs'.* It has: jobs"
    ):
        source.values({"job": "import"})
    yaml_says(project, YAML.partition("parameters:")[0])
    with pytest.raises(UnknownParameter, match="It has: none"):
        read_source("batches").values({"jobs": "import"})
    yaml_says(project, YAML.replace("says: which jobs", "default: [import]"))
    assert read_source("batches").values({}) == {"jobs": ["import"]}


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("STRING", "train", "train"),
        ("INT64", "180", 180),
        ("INT64", 180, 180),
        ("FLOAT64", "0.5", 0.5),
        ("FLOAT64", 1, 1.0),
        ("BOOL", "True", True),
        ("BOOL", False, False),
        ("DATE", "2026-10-01", date(2026, 10, 1)),
        ("TIMESTAMP", "2026-10-01T06:00Z", datetime(2026, 10, 1, 6, tzinfo=UTC)),
        ("ARRAY<STRING>", "train,test", ["train", "test"]),
        ("ARRAY<STRING>", "", []),
        ("ARRAY<INT64>", ("1", 2), [1, 2]),
    ],
)
def test_values_are_read_as_a_command_line_gives_them(kind, given, value) -> None:
    assert Parameter("p", Type.parse(kind)).value(given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("STRING", 5),
        ("INT64", "1.5"),
        ("INT64", 1.5),
        ("INT64", True),
        ("FLOAT64", "half"),
        ("FLOAT64", True),
        ("BOOL", "yes"),
        ("DATE", "yesterday"),
        ("TIMESTAMP", "noon"),
        ("TIMESTAMP", None),
        ("ARRAY<INT64>", "1,two"),
        ("ARRAY<STRING>", {"train"}),
        ("STRUCT<a INT64>", "1"),
    ],
)
def test_values_of_another_type_are_refused(kind, given) -> None:
    with pytest.raises(ParameterError, match=r"parameter 'p' is .*; it must be "):
        Parameter("p", Type.parse(kind)).value(given)


def test_every_kind_of_file_reads_the_same(tmp_path: Path) -> None:
    lines = "2026-10-01T06:00Z,import,0\n2026-10-01T06:05Z,,\n"
    (tmp_path / "a.csv").write_text("started_at,job,rows_lost\n" + lines)
    objects = (
        '{"started_at": "2026-10-01T06:00Z", "job": "import", "rows_lost": 0, "operator": "ann"}\n'
        '{"started_at": "2026-10-01T06:05Z"}\n'
    )
    (tmp_path / "b.ndjson").write_text(objects)
    read = read_raw([tmp_path / "a.csv"], READS)
    read.write_parquet(tmp_path / "c.parquet")
    assert read.schema == {name: kind.polars for name, kind in READS.items()}
    assert read["rows_lost"].to_list() == [0, None]
    for name in ("b.ndjson", "c.parquet"):
        assert read_raw([tmp_path / name], READS).equals(read, null_equal=True)


def test_structs_of_a_log_line_are_read(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"httpRequest": {"status": 200, "latency": "0.25s"}}\n')
    request = Type.parse("STRUCT<status INT64, latency STRING>")
    read = read_raw([tmp_path / "log.jsonl"], {"httpRequest": request})
    assert read["httpRequest"].to_list() == [{"status": 200, "latency": "0.25s"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "started_at,job,lost\n",
            "column 'rows_lost' is missing.* It has: started_at, job, lost",
        ),
        (
            "a.csv",
            "started_at,job,rows_lost\n2026-10-01,a,1\n",
            "row 1: column 'started_at' is '2026-10-01': has no zone",
        ),
        (
            "a.csv",
            "started_at,job,rows_lost\n2026-10-01T06:00Z,a,1\n2026-10-01T06:00Z,a,1.5\n2026-10-01T06:00Z,a,x\n",
            r"a.csv: row 2: column 'rows_lost' is '1.5': is not a whole number \(and 1 more\)",
        ),
        (
            "a.ndjson",
            '{"job": "a"}\n[1]\n',
            r"row 2: column '\(the whole line\)' is '\[1\]': is not a JSON object",
        ),
        ("a.xlsx", "", "unknown kind"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataFileError, match=message):
        read_raw([tmp_path / name], READS)


def test_a_file_must_exist_and_be_whole(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="there is no file to read"):
        read_raw([], READS)
    with pytest.raises(DataFileError, match=r"missing.csv: there is no such file"):
        read_raw([tmp_path / "missing.csv"], READS)
    whole = gzip.compress(b"started_at,job,rows_lost\n" + b"2026-10-01T06:00Z,import,0\n" * 20_000)
    (tmp_path / "half.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"half\.csv\.gz: cut short or damaged"):
        read_raw([tmp_path / "half.csv.gz"], READS)


def test_a_parquet_column_of_another_type_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"started_at": ["x"], "job": [["a"]], "rows_lost": [1]}).write_parquet(
        tmp_path / "a.parquet"
    )
    with pytest.raises(DataFileError, match=r"a.parquet: column 'job' is .*, not STRING"):
        read_raw([tmp_path / "a.parquet"], READS)
