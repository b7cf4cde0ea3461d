"""A BigQuery server on loopback, asked through Google's client, over small frames."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import polars as pl
from google.cloud import bigquery

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.queries import Query
from fleetslo.warehouse.types import Type


def _field(name: str, kind: Type, *, nullable: bool) -> bigquery.SchemaField:
    inner = kind.element or kind
    fields = [_field(each, of, nullable=True) for each, of in inner.fields]
    mode = "REPEATED" if kind.element else "NULLABLE" if nullable else "REQUIRED"
    return bigquery.SchemaField(name, "RECORD" if fields else inner.kind, mode, fields=fields)


def _parameter(name: str, kind: Type, value: Any) -> Any:
    if kind.element is not None:
        return bigquery.ArrayQueryParameter(name, kind.element.kind, value)
    return bigquery.ScalarQueryParameter(name, kind.kind, value)


class Loopback:
    """The tables of a set of contracts in a dataset of their own, and the server's answers."""

    def __init__(
        self, client: bigquery.Client, contracts: Mapping[str, Contract], dataset: str
    ) -> None:
        self.client, self.contracts = client, contracts
        self.dataset = f"{client.project}.{dataset}"
        client.create_dataset(self.dataset, exists_ok=True)
        self.holds: dict[str, pl.DataFrame] = {}

    def fill(self, table: str, rows: pl.DataFrame) -> None:
        """Let a table hold these rows alone; one that does already is left as it is."""
        if table in self.holds and self.holds[table].equals(rows):
            return
        name = f"{self.dataset}.{table}"
        columns = self.contracts[table].columns
        schema = [_field(one.name, one.type, nullable=one.nullable) for one in columns]
        self.client.create_table(bigquery.Table(name, schema), exists_ok=True)
        lists = bigquery.ParquetOptions()
        lists.enable_list_inference = True
        how = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            schema=schema,
            parquet_options=lists,
        )
        file = BytesIO()
        rows.write_parquet(file)
        self.client.load_table_from_file(file, name, rewind=True, job_config=how).result()
        self.holds[table] = rows

    def ask(
        self, query: Query, tables: Mapping[str, pl.DataFrame], parameters: Mapping[str, Any]
    ) -> pl.DataFrame:
        """Return the answer to a query over these rows, cast to the query's contract."""
        for name in query.tables:
            self.fill(name, tables[name])
        bound = query.bind(**parameters)
        how = bigquery.QueryJobConfig(
            default_dataset=self.dataset,
            query_parameters=[
                _parameter(name, kind, bound[name]) for name, kind in query.bound_types.items()
            ],
        )
        answer = self.client.query(query.sql, job_config=how).result()
        rows = answer.to_arrow(create_bqstorage_client=False)
        return query.cast(pl.DataFrame(pl.from_arrow(rows)))
