"""Where the tables of a dataset differ from their contracts, for a query that failed on one."""

from typing import TYPE_CHECKING

from fleetslo.errors import ContractError
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.dialect import names_in

if TYPE_CHECKING:
    from google.cloud import bigquery

_SPELLED = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
"""The names of types that BigQuery gives back in place of GoogleSQL's."""


def misfits(
    client: "bigquery.Client", dataset: str, sql: str, timeout_s: float = 60.0
) -> list[str]:
    """Return what the tables that a query names lack of their contracts, or have otherwise.

    A table that cannot be looked at, and one without a contract, is passed over: the error that
    led here is then said as it is.
    """
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery import DEFAULT_RETRY
    from requests.exceptions import RequestException

    retry = DEFAULT_RETRY.with_timeout(timeout_s)
    try:
        tables = names_in(sql)[0]
    except ContractError:  # a script, which has no tables of its own to name
        return []
    found = []
    for name in tables:
        contract = read_contracts().get(name)
        if contract is None:
            continue
        try:
            table = client.get_table(f"{dataset}.{name}", retry=retry, timeout=timeout_s)
        except (GoogleAPICallError, RequestException):
            continue
        fields = {field.name: spelled(field) for field in table.schema}
        for column in contract.columns:
            there, wanted = fields.get(column.name), str(column.type)
            if there is None:
                found.append(f"table {name} has no column {column.name!r} ({wanted})")
            elif there != wanted:
                found.append(f"column {column.name!r} of table {name} is {there}, not {wanted}")
    return found


def spelled(field: "bigquery.SchemaField") -> str:
    """Return a field's type as GoogleSQL spells it, ``ARRAY<STRUCT<bucket INT64, …>>``."""
    kind = _SPELLED.get(field.field_type, field.field_type)
    if kind == "STRUCT":
        inside = ", ".join(f"{each.name} {spelled(each)}" for each in field.fields)
        kind = f"STRUCT<{inside}>"
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind
