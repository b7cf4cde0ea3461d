"""Google's reference implementation of GoogleSQL, from the ``zetasql`` package, over small frames.

It is a WebAssembly module of 50 MB; compiling it takes a quarter of a minute or more, so that the
compiled module is kept in pytest's cache.
"""

import fcntl
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC
from importlib.metadata import version
from pathlib import Path
from platform import machine
from typing import Any

import polars as pl
import wasmtime
from google.protobuf.timestamp_pb2 import Timestamp
from zetasql import types
from zetasql.api import CatalogBuilder, TableBuilder, TypeFactory
from zetasql.core import ZetaSqlLocalService, wasm_client
from zetasql.types import AnalyzerOptions, LanguageOptions, TypeKind, ZetaSQLBuiltinFunctionOptions
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.queries import Query
from fleetslo.warehouse.types import Type

_KINDS = {
    "STRING": TypeKind.TYPE_STRING,
    "INT64": TypeKind.TYPE_INT64,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "BOOL": TypeKind.TYPE_BOOL,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    "DATE": TypeKind.TYPE_DATE,
}


@contextmanager
def _compiled_once(folder: Path):
    """Let the module be compiled by one process and read by all others."""

    class Module(wasmtime.Module):
        @classmethod
        def from_file(cls, engine: wasmtime.Engine, path: str) -> wasmtime.Module:
            size = Path(path).stat().st_size
            kept = folder / f"{version('wasmtime')}-{machine()}-{size}.compiled"
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not kept.exists():
                    compiled = wasmtime.Module.from_file(engine, path)
                    beside = kept.with_suffix(".new")
                    beside.write_bytes(compiled.serialize())
                    beside.replace(kept)
                    return compiled
            return wasmtime.Module.deserialize_file(engine, str(kept))

    usual, wasm_client.Module = wasm_client.Module, Module
    try:
        yield
    finally:
        wasm_client.Module = usual


def _type(kind: Type) -> Any:
    if kind.element is not None:
        return TypeFactory.create_array_type(_type(kind.element))
    if kind.fields:
        return TypeFactory.create_struct_type([(name, _type(of)) for name, of in kind.fields])
    return TypeFactory.create_simple_type(_KINDS[kind.kind])


def _spelt(kind: Any) -> str:
    """Return a type of the analyser as contracts write it."""
    if kind.array_type is not None:
        return f"ARRAY<{_spelt(kind.array_type.element_type)}>"
    if kind.struct_type is not None:
        fields = (f"{one.field_name} {_spelt(one.field_type)}" for one in kind.struct_type.field)
        return f"STRUCT<{', '.join(fields)}>"
    return {kind: name for name, kind in _KINDS.items()}.get(kind.type_kind, str(kind.type_kind))


def _value(kind: Type, given: Any) -> Any:
    if kind.element is not None:
        elements = [_value(kind.element, each) for each in given or []]
        return types.Value(array_value=types.Value.Array(element=elements))
    if given is None:
        return types.Value()
    if kind.fields:
        fields = [_value(of, given[name]) for name, of in kind.fields]
        return types.Value(struct_value=types.Value.Struct(field=fields))
    if kind.kind == "TIMESTAMP":
        instant = Timestamp()
        instant.FromDatetime(given)
        return types.Value(timestamp_value=instant)
    field = {"STRING": "string", "INT64": "int64", "FLOAT64": "double", "BOOL": "bool"}[kind.kind]
    return types.Value(**{f"{field}_value": given})


def _given(kind: Type, value: Any) -> Any:
    """Return a value of an answer, a protobuf message, as Python has it; None for null."""
    field = value.WhichOneof("value")
    if field is None:
        return None
    given = getattr(value, field)
    if kind.element is not None:
        return [_given(kind.element, each) for each in given.element]
    if kind.fields:
        inside = zip(kind.fields, given.field, strict=True)
        return {name: _given(of, each) for (name, of), each in inside}
    return given.ToDatetime(tzinfo=UTC) if kind.kind == "TIMESTAMP" else given


class Reference:
    """The tables of a set of contracts, and the answers of the reference implementation."""

    def __init__(self, contracts: Mapping[str, Contract], cache: Path) -> None:
        with _compiled_once(cache):
            self.service = ZetaSqlLocalService.get_instance()
        self.contracts = contracts
        self.language = LanguageOptions.maximum_features()
        self.functions = ZetaSQLBuiltinFunctionOptions(language_options=self.language)

    def _catalog(self, tables: Iterable[str]) -> Any:
        """Return a catalogue of these tables; one that is registered cannot be given rows."""
        catalog = CatalogBuilder("warehouse").with_builtin_functions(self.functions)
        for name in tables:
            table = TableBuilder(name)
            for column in self.contracts[name].columns:
                table.add_column(column.name, _type(column.type))
            catalog.add_table(table.build())
        return catalog.build()

    def _statement(self, query: Query) -> dict[str, Any]:
        parameters = [
            AnalyzerOptions.QueryParameter(name=name, type=_type(kind))
            for name, kind in query.bound_types.items()
        ]
        options = AnalyzerOptions(
            language_options=self.language, query_parameters=parameters, default_timezone="UTC"
        )
        catalog = self._catalog(query.tables)
        return {"sql": query.sql, "options": options, "simple_catalog": catalog}

    def columns(self, query: Query) -> dict[str, str]:
        """Return the columns of a query's answer and their types, as the analyser sees them.

        The analyser's own error is raised where the query does not fit the contracts.
        """
        prepared = self.service.prepare_query(**self._statement(query)).prepared
        self.service.unprepare_query(prepared_query_id=prepared.prepared_query_id)
        return {column.name: _spelt(column.type) for column in prepared.columns}

    def ask(
        self, query: Query, tables: Mapping[str, pl.DataFrame], parameters: Mapping[str, Any]
    ) -> pl.DataFrame:
        """Return the answer to a query over these rows, cast to the query's contract."""
        content = {}
        for name in query.tables:
            columns = self.contracts[name].columns
            rows = [
                types.TableData.Row(cell=[_value(one.type, row[one.name]) for one in columns])
                for row in tables[name].iter_rows(named=True)
            ]
            content[name] = types.TableContent(table_data=types.TableData(row=rows))
        bound = query.bind(**parameters)
        request = types.EvaluateQueryRequest(
            **self._statement(query),
            params=[
                types.Parameter(name=name, value=_value(kind, bound[name]))
                for name, kind in query.bound_types.items()
            ],
            table_content=content,
        )
        # The package's own reading of the answer loses instants, so the message is read here.
        answer = self.service.wasm_client.call_grpc_func(
            "ZetaSqlLocalService_EvaluateQuery",
            request.to_proto(),
            local_service_pb2.EvaluateQueryResponse,
        )
        names = list(self.columns(query))
        of = {column.name: column.type for column in query.columns}
        rows = [
            {name: _given(of[name], cell) for name, cell in zip(names, row.cell, strict=True)}
            for row in answer.content.table_data.row
        ]
        schema = {name: of[name].polars for name in names}
        return query.cast(pl.DataFrame(rows, schema=schema))
