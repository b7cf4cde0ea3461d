"""A million rows over the Storage Read API's own protocol: as our reader takes them, and bare."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types

from fleetslo.settings import load_settings
from fleetslo.warehouse.bigquery.connection import storage
from fleetslo.warehouse.bigquery.reading import Reader
from tests.loopback import serving

ROWS = 1_000_000
COLUMNS = {
    "service": "STRING",
    "minute": "TIMESTAMP",
    "good_count": "INT64",
    "valid_count": "INT64",
    "uncertain_count": "INT64",
}


def rows() -> pl.DataFrame:
    """Rows like those of ``slo/minutes``: a name, an instant and three counts."""
    numbers = pl.int_range(ROWS, eager=True)
    return pl.DataFrame(
        {
            "service": ("service-" + (numbers // 1000).cast(pl.String)),
            "minute": (numbers * 60_000_000).cast(pl.Datetime("us", "UTC")),
            "good_count": numbers % 997,
            "valid_count": numbers % 1009,
            "uncertain_count": numbers % 7,
        }
    )


def _storage(log: Path) -> str:
    """Return where the server, which has answered before, gives rows over gRPC."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    told = [said for said in map(json.loads, lines) if said["event"] == "grpc.listen"]
    return f"http://127.0.0.1:{told[0]['port']}"


@contextmanager
def ways() -> Iterator[tuple[Callable[[], pl.DataFrame], Callable[[], Any]]]:
    """Give our way to a Polars frame and Google's to an Arrow table, of the same stored rows."""
    with TemporaryDirectory() as folder, serving(log := Path(folder) / "log") as server:
        client = server.client
        name = f"{client.project}.bench.minutes"
        client.create_dataset("bench", exists_ok=True)
        file, given = BytesIO(), rows()
        given.write_parquet(file)
        schema = [bigquery.SchemaField(column, kind) for column, kind in COLUMNS.items()]
        client.create_table(bigquery.Table(name, schema))
        how = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema)
        client.load_table_from_file(file, name, rewind=True, job_config=how).result()
        settings = load_settings(
            {"bigquery_storage_endpoint": _storage(log), "bigquery_endpoint": server.url}
        ).settings
        made = storage(settings)
        if made is None:
            raise RuntimeError("the server has no Storage Read API")
        reads: BigQueryReadClient = made()
        reader = Reader(made, settings.result_bytes_limit, 60)
        table = client.get_table(name)

        def ours() -> pl.DataFrame:
            frame = reader.whole(
                reader.pieces(client.list_rows(table), table.reference, name), name
            )
            if frame.height != ROWS:
                raise RuntimeError(f"{frame.height:,} of {ROWS:,} rows came")
            return frame

        def peer() -> Any:
            wanted = types.ReadSession(
                table=table.reference.to_bqstorage(),
                data_format=types.DataFormat.ARROW,
                read_options={"arrow_serialization_options": {"buffer_compression": 1}},
            )
            session = reads.create_read_session(
                parent=f"projects/{client.project}", read_session=wanted, max_stream_count=1
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                return reads.read_rows(session.streams[0].name).to_arrow()

        if peer().num_rows != ROWS:
            raise RuntimeError("Google's own reader got another number of rows")
        yield ours, peer
