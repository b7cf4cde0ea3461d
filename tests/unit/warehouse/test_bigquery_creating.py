"""The dataset and its tables, made from the contracts on the loopback server."""

from typing import Any

import pytest
from google.cloud import bigquery

from fleetslo.cli import run
from fleetslo.errors import MigrationNeeded, SettingsError
from fleetslo.warehouse.base import Step
from fleetslo.warehouse.bigquery import books, rolled, tables
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract, read_contracts

DAY_MS = 86_400_000
NOT_BY_DAY = "it has no partitions, not by DAY of minute, so queries read more than they have to"


def planned(warehouse: BigQueryWarehouse, *, change: bool = False) -> list[Step]:
    shown: list[Step] = []
    warehouse.create(change=change, show=shown.extend)
    return shown


def table(warehouse: BigQueryWarehouse, name: str) -> bigquery.Table:
    return warehouse.client.get_table(f"{warehouse.dataset_id}.{name}")


def lose(warehouse: BigQueryWarehouse, name: str, column: str) -> None:
    """Make a table anew as an older version made it, without a column."""
    older = tables.table(warehouse.dataset_id, contract(name), None)
    older.schema = [field for field in older.schema if field.name != column]
    warehouse.client.delete_table(f"{warehouse.dataset_id}.{name}")
    warehouse.client.create_table(older)


def test_everything_is_made_from_the_contracts(place: BigQueryWarehouse) -> None:
    steps = planned(place)
    assert {step.kind for step in steps} == {"make"}
    assert [step.where for step in steps] == [
        place.dataset_id, *read_contracts(), "fleetslo_loads", "fleetslo_rolled",
    ]  # fmt: skip
    assert place.client.get_dataset(place.dataset_id).location == "EU"
    stored, wanted = table(place, "requests"), contract("requests")
    assert stored.description == wanted.says
    assert stored.clustering_fields == ["service", "endpoint"]
    parts = stored.time_partitioning
    assert (parts.type_, parts.field, parts.expiration_ms) == ("DAY", "minute", None)
    # 100 days of slo_minutes are kept, as its contract says
    assert table(place, "slo_minutes").time_partitioning.expiration_ms == 100 * DAY_MS
    fields = {field.name: field for field in stored.schema}
    assert list(fields) == list(wanted.by_name)
    assert (fields["minute"].mode, fields["duration_sum_s"].mode) == ("REQUIRED", "NULLABLE")
    assert fields["latency"].mode == "REPEATED"
    assert fields["request_count"].description == (
        "requests, with those dropped before they were served [requests]"
    )


def test_every_fact_table_asks_for_a_bound_on_its_days() -> None:
    for name, one in read_contracts().items():
        wants = tables.table("p.d", one, None).require_partition_filter
        assert bool(wants) == (one.partition is not None), name


def test_the_second_time_there_is_nothing_to_do(made: BigQueryWarehouse) -> None:
    assert planned(made) == []
    assert planned(made, change=True) == []


def test_what_exists_is_changed_only_when_asked_to(
    made: BigQueryWarehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lose(made, "errors", "upstream")
    monkeypatch.setenv("FLEETSLO_KEEP_DAYS", "requests=35")
    again = BigQueryWarehouse(made.url)
    wanted = [
        Step("change", "errors", "add column 'upstream' (STRING)"),
        Step("change", "requests", "days are kept for 35"),
    ]
    assert planned(again) == wanted
    assert planned(again) == wanted
    assert table(again, "requests").time_partitioning.expiration_ms is None
    assert planned(again, change=True) == wanted
    # the loopback server goes on listing the columns that a table was made with
    assert planned(again) == wanted[:1]
    assert table(again, "requests").time_partitioning.expiration_ms == 35 * DAY_MS
    assert again.asker.answer(
        "SELECT upstream FROM errors WHERE minute > TIMESTAMP '2026-01-01'", [], "test"
    ).is_empty()


def test_migrating_does_what_can_be_done_and_names_it(made: BigQueryWarehouse) -> None:
    lose(made, "errors", "upstream")
    made.client.delete_table(f"{made.dataset_id}.pages")
    done = made.migrate()
    assert [line.partition(":")[0] for line in done] == ["errors", "pages"]
    assert [line.partition(":")[0] for line in made.migrate()] == ["errors"]  # as above
    made.client.delete_table(f"{made.dataset_id}.errors")
    assert [line.partition(";")[0] for line in made.migrate()] == ["errors: a table with 9 columns"]
    assert made.migrate() == []


def test_what_cannot_be_changed_in_place_is_named_with_what_to_do(
    made: BigQueryWarehouse,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"{made.dataset_id}.calls"
    made.client.delete_table(name)
    wanted = contract("calls")
    fields = [
        bigquery.SchemaField(field.name, "STRING" if field.name == "call_count" else field.field_type,
                             field.mode, fields=field.fields, description=field.description)
        for field in map(tables.field, wanted.columns)
        if field.name != "region"
    ]  # fmt: skip
    other = bigquery.Table(name, [*fields, bigquery.SchemaField("mine", "INT64", "REQUIRED")])
    other.description = wanted.says
    other.clustering_fields = list(wanted.cluster)
    made.client.create_table(other)
    steps = planned(made)
    assert [(step.kind, step.says.partition(";")[0]) for step in steps] == [
        ("by hand", "column 'region' (STRING) is missing and may not be null"),
        ("by hand", "column 'call_count' is STRING, not INT64"),
        ("change", "let column 'mine' be null, since loads do not fill it"),
        ("by hand", NOT_BY_DAY),
    ]
    assert run(["warehouse", "create", "--warehouse", made.url]) == MigrationNeeded.exit_code
    told = capsys.readouterr()
    assert "by hand  calls: column 'region' (STRING) is missing" in told.out
    assert "1 to change; add --change" in told.out
    assert "3 of these cannot be changed in place" in told.err


def test_the_command_shows_its_plan_and_then_makes_it(
    place: BigQueryWarehouse,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["warehouse", "create", "--warehouse", place.url]) == 0
    told = capsys.readouterr().out
    assert f"make     {place.dataset_id}: a dataset in EU" in told
    assert "make     slo_minutes: a table with 7 columns; a partition a day of minute" in told
    assert "days are kept for 100" in told
    assert run(["warehouse", "create", "--warehouse", place.url]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_retention_is_of_a_table_with_days(
    place: BigQueryWarehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLEETSLO_KEEP_DAYS", "request=35")
    with pytest.raises(SettingsError, match=r"names 'request', which is no table with days\. Did"):
        BigQueryWarehouse(place.url).create()


class Recorded:
    """A client of Google's server, where every table exists, and what it was told to change."""

    def __init__(self, **differs: Any) -> None:
        every = [*read_contracts().values(), books.LOADS, rolled.ROLLED]
        self.tables = {one.table: tables.table("p.d", one, one.keep_days) for one in every}
        for name, value in differs.items():
            setattr(self.tables["requests"], name, value)
        self.changed: list[list[str]] = []

    def get_dataset(self, _: str, **__: Any) -> None:
        pass

    def list_tables(self, _: str, **__: Any) -> list[bigquery.Table]:
        return list(self.tables.values())

    def get_table(self, name: Any, **_: Any) -> bigquery.Table:
        return self.tables[str(name).rpartition(".")[2]]

    def update_table(self, _: bigquery.Table, names: list[str], **__: Any) -> None:
        self.changed.append(names)


@pytest.mark.parametrize(
    ("differs", "says", "changed"),
    [
        ({"require_partition_filter": False}, "refuse queries that do not bound minute",
         ["require_partition_filter"]),
        ({"clustering_fields": ["service"]},
         "cluster by service, endpoint: rows loaded from now on", ["clustering_fields"]),
        ({"description": "old"}, "describe the table", ["description"]),
    ],
)  # fmt: skip
def test_properties_that_differ_at_google_are_changed_one_by_one(
    differs: dict[str, Any], says: str, changed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEETSLO_BIGQUERY_ENDPOINT", raising=False)
    client = Recorded(**differs)
    warehouse = BigQueryWarehouse("bigquery://p/d", client)  # type: ignore[arg-type]
    assert planned(warehouse, change=True) == [Step("change", "requests", says)]
    assert client.changed == [changed]
