"""The BigQuery warehouse against a recorded client; nothing here leaves the machine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound
from google.cloud import bigquery

from fleetslo.errors import SettingsError, WarehouseError, WarehouseMissing
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

START, END = datetime(2026, 10, 4, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


class Job:
    def __init__(self, table: pa.Table, estimate: int) -> None:
        self.table, self.total_bytes_processed = table, estimate
        self.referenced_tables, self.total_rows = ["requests_hourly", "services"], table.num_rows
        self.destination, self.job_id, self.cache_hit, self.total_bytes_billed = (
            None,
            "job",
            False,
            10 * 1024**2,
        )

    def done(self, **_: Any) -> bool:
        return True

    def result(self, **_: Any) -> "Job":
        return self

    def to_arrow(self, *, create_bqstorage_client: bool) -> pa.Table:
        return self.table

    def to_arrow_iterable(self, *_: Any, **__: Any) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches()


class Recorded:
    """Answers each query with the next table, and remembers what it was asked."""

    def __init__(self, *answers: pa.Table | Exception, estimate: int = 1000) -> None:
        self.answers, self.estimate = list(answers), estimate
        self.asked: list[tuple[str, Any]] = []

    def query(self, sql: str, job_config: Any, **_: Any) -> Job:
        self.asked.append((sql, job_config))
        if job_config.dry_run:
            return Job(pa.table({}), self.estimate)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Job(answer, self.estimate)

    def get_table(self, name: str, **_: Any) -> Any:
        raise NotFound(name)


def opened(client: Recorded, limit: int = 10**9) -> BigQueryWarehouse:
    return BigQueryWarehouse("bigquery://proj/reliability", client, limit)  # type: ignore[arg-type]


SEEN = pa.table(
    {
        "service": ["checkout"],
        "first_hour": pa.array([START], pa.timestamp("us", "UTC")),
        "last_hour": pa.array([END], pa.timestamp("us", "UTC")),
        "request_count": pa.array([42], pa.decimal128(38, 0)),
    }
)


def test_a_query_goes_as_it_is_written_with_named_parameters() -> None:
    client = Recorded(SEEN)
    frame = opened(client).query("fleet/seen", start=START, end=END, services=["checkout"])
    # BigQuery may answer a sum as a decimal; the contract makes it an integer again
    assert frame.row(0) == ("checkout", START, END, 42)
    assert frame.schema["request_count"].is_integer()
    (dry_sql, dry), (sql, config) = client.asked
    assert sql == dry_sql
    assert dry.dry_run
    assert {p.name: getattr(p, "value", None) or p.values for p in config.query_parameters} == {
        "start": START,
        "end": END,
        "services": ["checkout"],
    }
    assert config.default_dataset.dataset_id == "reliability"
    assert config.labels == {"tool": "fleetslo", "query": "fleet-seen"}
    # 1,000 bytes and a tenth, and 10 MiB for each of two tables: a cap equal to the estimate is
    # refused by BigQuery
    assert config.maximum_bytes_billed == 1100 + 2 * 10 * 1024**2


def test_a_query_over_the_limit_is_refused_before_it_runs() -> None:
    client = Recorded(estimate=3 * 1024**3)
    with pytest.raises(WarehouseError, match=r"would read 3\.0 GiB, over the limit of 1\.0 GiB"):
        opened(client, 1024**3).query("fleet/seen", start=START, end=END)
    assert len(client.asked) == 1


def test_where_bigquery_hides_the_bytes_the_limit_is_the_cap() -> None:
    client = Recorded(SEEN, estimate=0)  # so it does for tables with row access policies
    opened(client, 7 * 1024**3).query("fleet/seen", start=START, end=END)
    assert client.asked[1][1].maximum_bytes_billed == 7 * 1024**3


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (NotFound("Not found: Table x"), WarehouseMissing, "queries/tables"),
        (Forbidden("Access denied"), WarehouseError, "BigQuery Data Viewer"),
        (BadRequest("too complex"), WarehouseError, "too complex"),
    ],
)
def test_what_bigquery_refuses_is_said_with_its_remedy(
    error: Exception, kind: type[WarehouseError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        opened(Recorded(error)).query("fleet/seen", start=START, end=END)


class Refused(Recorded):
    """Remembers which jobs were cancelled."""

    interrupted = False
    cancelled = 0

    def query(self, sql: str, job_config: Any, **options: Any) -> Job:
        return Guarded(super().query(sql, job_config, **options), self)


class Guarded(Job):
    def __init__(self, job: Job, client: Refused) -> None:
        super().__init__(job.table, job.total_bytes_processed)
        self.client = client

    def result(self, **_: Any) -> "Job":
        if self.client.interrupted:
            raise KeyboardInterrupt
        return self

    def cancel(self, **_: Any) -> None:
        self.client.cancelled += 1


def test_a_job_is_cancelled_when_the_user_stops_waiting() -> None:
    client = Refused(SEEN)
    client.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        opened(client).query("fleet/seen", start=START, end=END)
    assert client.cancelled == 1


PARTITIONS = pa.table(
    {
        "table_name": ["requests_hourly", "services"],
        "row_count": [100, 7],
        "days": [28, 1],
        "first_id": pa.array(["20261004", None], pa.string()),
        "last_id": pa.array(["20261031", None], pa.string()),
        "bytes": [9000, 70],
    }
)


def test_tables_are_described_from_their_partitions() -> None:
    frame = opened(Recorded(PARTITIONS)).describe()
    rows = {row["table"]: row for row in frame.iter_rows(named=True)}
    assert rows["requests_hourly"]["last"] == datetime(2026, 10, 31, tzinfo=UTC)
    assert (rows["services"]["days"], rows["services"]["rows"]) == (None, 7)
    assert rows["requests"]["rows"] == 0


class WithoutBook(Recorded):
    """The dataset has no book of loads, so no source is coarser than its table."""

    def get_table(self, name: str, **_: Any) -> None:
        assert name == "proj.reliability.fleetslo_loads"
        raise NotFound(f"Not found: Table {name}")


def test_data_is_complete_to_the_end_of_its_newest_hour() -> None:
    newest = pa.table(
        {
            "table_name": ["requests_hourly"],
            "newest": pa.array([datetime(2026, 10, 31, 22, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        }
    )
    client = WithoutBook(PARTITIONS, newest)
    warehouse = opened(client)
    assert warehouse.complete_until() == datetime(2026, 10, 31, 23, tzinfo=UTC)
    asked = len(client.asked)
    assert warehouse.newest() == {"requests_hourly": datetime(2026, 10, 31, 22, tzinfo=UTC)}
    assert len(client.asked) == asked  # it costs nothing
    sql, config = client.asked[-1]
    # only the newest day of the one table with rows is read
    assert "FROM requests_hourly WHERE hour >= @from_requests_hourly" in sql
    (bound,) = config.query_parameters
    assert bound.value == datetime(2026, 10, 31, tzinfo=UTC)
    assert opened(WithoutBook(PARTITIONS.slice(1))).complete_until() is None


def test_an_address_names_a_project_and_a_dataset() -> None:
    with pytest.raises(SettingsError, match="bigquery://project/dataset"):
        BigQueryWarehouse("bigquery://project/a/b")
    assert isinstance(open_warehouse("bigquery://project/dataset"), BigQueryWarehouse)


def test_without_credentials_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import exceptions

    def nobody(*_: object, **__: object) -> None:
        raise exceptions.DefaultCredentialsError("none")

    monkeypatch.setattr("google.cloud.bigquery.Client", nobody)
    with pytest.raises(WarehouseMissing, match="gcloud auth application-default login"):
        open_warehouse("bigquery://project/dataset").query("fleet/seen", start=START, end=END)


class Tables(Recorded):
    """Says of tables what BigQuery says of them; those not given are not there."""

    def __init__(self, **tables: dict[str, Any] | Exception) -> None:
        super().__init__()
        self.tables = tables

    def get_table(self, name: str, **_: Any) -> bigquery.Table:
        project, dataset, table = name.split(".")
        said = self.tables.get(table, NotFound(name))
        if isinstance(said, Exception):
            raise said
        reference = {"projectId": project, "datasetId": dataset, "tableId": table}
        given = {"type": "TABLE", "lastModifiedTime": "1761955200000", "numRows": "7"}
        return bigquery.Table.from_api_repr({"tableReference": reference, **given, **said})


def test_the_data_are_the_same_while_no_table_was_changed() -> None:
    def told(**tables: dict[str, Any] | Exception) -> str:
        return opened(Tables(**tables)).fingerprint()

    same = told(requests={}, services={})
    assert same
    assert same == told(services={}, requests={})
    others = [
        told(requests={"lastModifiedTime": "1761955200001"}, services={}),
        told(requests={"numRows": "8"}, services={}),
        told(requests={"numBytes": "9"}, services={}),
        told(requests={}),
        told(requests={}, services={}, incidents={}),
    ]
    assert len({same, *others}) == 6


@pytest.mark.parametrize(
    "said",
    [
        {"streamingBuffer": {"estimatedRows": "1", "estimatedBytes": "1"}},
        {"type": "VIEW"},
        {"type": "EXTERNAL"},
        Forbidden("tables.get"),
    ],
)
def test_nothing_tells_where_bigquery_does_not(said: dict[str, Any] | Exception) -> None:
    assert opened(Tables(requests={}, services=said)).fingerprint() == ""


def test_a_server_that_stands_in_for_bigquery_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", "http://127.0.0.1:1")
    assert opened(Tables(requests={})).fingerprint() == ""
