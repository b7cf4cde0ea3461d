"""Values as BigQuery's client takes them: named, each with its type."""

from collections.abc import Mapping
from typing import Any

from fleetslo.warehouse.types import Type


def parameters(types: Mapping[str, Type], values: Mapping[str, Any]) -> list[Any]:
    """Return a parameter of a query for each type, with the value of its name."""
    from google.cloud import bigquery

    def parameter(name: str, kind: Type) -> Any:
        if kind.element is not None:
            return bigquery.ArrayQueryParameter(name, kind.element.kind, values[name])
        return bigquery.ScalarQueryParameter(name, kind.kind, values[name])

    return [parameter(name, kind) for name, kind in types.items()]
