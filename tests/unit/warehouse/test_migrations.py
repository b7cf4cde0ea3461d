"""A folder of an older version is refused, then brought up: made here as that version wrote it."""

import polars as pl
import pytest
from stored_rows import NOON, csv, minutes

from fleetslo.errors import ContractError, MigrationNeeded
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.layout import Layout

FIRST = """
table: visits
version: 1
says: Visits of each minute.
grain: [minute, service]
partition: minute
cluster: [service]
columns:
  minute: {type: TIMESTAMP}
  service: {type: STRING}
  hits: {type: INT64}
  note: {type: STRING, nullable: true}
"""
# hits became visit_count and a whole-valued FLOAT64, note went, mood and latency came
SECOND = """
table: visits
version: 2
says: Visits of each minute.
grain: [minute, service]
partition: minute
cluster: [service]
columns:
  minute: {type: TIMESTAMP}
  service: {type: STRING}
  visit_count: {type: FLOAT64, renamed_from: hits}
  mood: {type: STRING, nullable: true}
  latency: {type: "ARRAY<STRUCT<bucket INT64, count INT64>>"}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "fleetslo.toml").write_text("")
    (tmp_path / "queries/tables").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def use(text):
        (tmp_path / "queries/tables/visits.yaml").write_text(text)

    return use


@pytest.fixture
def old(project, tmp_path):
    """A folder as version 1 of the contract wrote it, then the contract of version 2."""
    project(FIRST)
    warehouse = DuckDBWarehouse(f"duckdb://{tmp_path / 'warehouse'}")
    warehouse.create()
    file = tmp_path / "visits.csv"
    file.write_text(
        "minute,service,hits,note\n2026-10-30T12:00Z,b,3,x\n2026-10-30T12:00Z,a,4,\n"
        "2026-10-31T12:00Z,a,5,y\n"
    )
    warehouse.load("visits", [file])
    project(SECOND)
    return warehouse


def test_an_older_table_is_refused_where_it_would_be_read_or_written(old, tmp_path):
    says = r"table 'visits' has version 1 of its contract, not 2; run 'fleetslo warehouse migrate'"
    with pytest.raises(MigrationNeeded, match=says), old.connection():
        pass
    with pytest.raises(MigrationNeeded, match=says):
        old.load("visits", [tmp_path / "visits.csv"])
    with pytest.raises(MigrationNeeded, match=says):
        old.check(NOON)
    with old.connection(tables=["requests"]) as connection:
        assert connection.sql("SELECT count(*) FROM requests").fetchall() == [(0,)]


def test_migrate_writes_every_day_anew(old):
    assert old.migrate() == ["visits"]
    with old.connection() as connection:
        rows = connection.sql("SELECT * EXCLUDE minute FROM visits ORDER BY minute, service")
        assert rows.fetchall() == [("a", 4.0, None, []), ("b", 3.0, None, []), ("a", 5.0, None, [])]
    for file in old.layout.files("visits"):
        assert pl.read_parquet(file).schema == contract("visits").schema
    assert old.layout.meta["contracts"]["visits"] == 2
    assert old.migrate() == []


def test_what_was_loaded_stays_known(old, tmp_path):
    old.migrate()
    assert old.load("visits", [tmp_path / "visits.csv"]).already_loaded


def test_a_table_without_rows_needs_no_migration(project, tmp_path):
    project(FIRST)
    warehouse = DuckDBWarehouse(f"duckdb://{tmp_path / 'warehouse'}")
    warehouse.create()
    project(SECOND)
    with warehouse.connection() as connection:
        assert connection.sql("SELECT count(visit_count) FROM visits").fetchall() == [(0,)]
    file = tmp_path / "visits.csv"
    file.write_text("minute,service,visit_count\n2026-10-30T12:00Z,b,3\n")
    warehouse.load("visits", [file])
    assert warehouse.layout.meta["contracts"]["visits"] == 2


def test_a_new_column_that_may_not_be_null_stops_it_and_nothing_changes(old, project):
    project(SECOND.replace("mood: {type: STRING, nullable: true}", "mood: {type: STRING}"))
    before = {file: file.read_bytes() for file in old.layout.files("visits")}
    with pytest.raises(ContractError, match=r"column 'mood' of visits is new and may not be null"):
        old.migrate()
    assert {file: file.read_bytes() for file in old.layout.files("visits")} == before
    assert old.layout.meta["contracts"]["visits"] == 1


def test_a_table_of_a_newer_version_is_left_to_a_newer_fleetslo(old, project):
    old.migrate()
    project(FIRST)
    says = r"has version 2 of its contract and this fleetslo knows 1; upgrade fleetslo"
    with pytest.raises(MigrationNeeded, match=says), old.connection():
        pass
    with pytest.raises(MigrationNeeded, match=says):
        old.migrate()


def test_a_folder_of_a_newer_format_is_left_to_a_newer_fleetslo(warehouse, tmp_path):
    warehouse.layout.update_meta({"format": 2})
    says = r"has format 2 and this fleetslo knows 1; upgrade fleetslo"
    with pytest.raises(MigrationNeeded, match=says):
        warehouse.load("requests", [csv(tmp_path / "a.csv", minutes(1))])
    with pytest.raises(MigrationNeeded, match=says):
        warehouse.migrate()


def test_progress_is_told(old):
    from fleetslo.warehouse import migrations
    from fleetslo.warehouse.contracts import read_contracts

    told = []
    migrations.migrate(Layout(old.layout.folder), read_contracts(), lambda *what: told.append(what))
    assert told == [("migrating visits", 0, 1)]
