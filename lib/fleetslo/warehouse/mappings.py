"""What the columns of a table of yours mean: the files under ``queries/mappings/``.

A mapping names a source and says how each column of the source's table ``raw`` comes out of your
columns, as expressions in GoogleSQL::

    says: Requests at our load balancer.
    source: load-balancer/log_sink        # a source, or a folder of them: requests, errors
    from: acme-logs.balancer.requests     # a table or view in BigQuery; left out for files
    time: timestamp                       # bounds what is read; left out: the table is read whole
    columns:
      service: REGEXP_EXTRACT(resource.labels.backend_service_name, r'^k8s-(.*)$')
      sample_rate: "0.1"
    parameters: {}                        # of the source
    step: 5m                              # where one row covers more than a minute
    reads: {status: STRING}               # types of your columns, for files

A column of ``raw`` that is not named is what the source calls usual, else the column of the same
name. Single values are cast to the type that the source reads.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import sqlglot
import yaml
from sqlglot import exp

from fleetslo import resources
from fleetslo.errors import ContractError, UnknownName, nearest
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.sources import Source, length, list_sources, read_source
from fleetslo.warehouse.types import Type

_KEYS = {"says", "source", "from", "time", "columns", "parameters", "step", "reads"}
_TABLE = re.compile(r"[A-Za-z0-9_.:-]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_$*-]+")
# What the table of the user's files is called, beside the source's own table raw.
_FILES = "given"


@dataclass(frozen=True)
class TableMapping:
    """What a table's columns mean to a source; ``path`` is the file that says so."""

    name: str
    path: Path
    source: str
    columns: Mapping[str, str]
    reads: Mapping[str, Type]
    parameters: Mapping[str, Any]
    table: str | None = None
    time: str | None = None
    step: timedelta | None = None

    def source_for(self, table: str) -> Source:
        """Return the source that fills a table, with the parameters that the mapping gives.

        Raises:
            ContractError: none of the sources that the mapping names fills the table, or it has
                no such parameter.
            UnknownTable: there is no such table.
        """
        contract(table)
        named = {source.fills: source for source in _sources(self.path, self.source)}
        if table not in named:
            raise ContractError(
                f"{self.path}: source: {self.source!r} does not fill {table!r}; "
                f"it fills {', '.join(named)}"
            )
        source = named[table]
        known = dict(source.parameters)
        for key, value in self.parameters.items():
            if key not in known:
                raise ContractError(
                    f"{self.path}: parameters: source {source.name} has no {key!r}."
                    f"{nearest(key, list(known))} It has: {', '.join(known) or 'none'}"
                )
            known[key] = replace(known[key], default=value, required=False)
        return replace(source, parameters=known, step=self.step or source.step)

    def expression(self, source: Source, column: str) -> str:
        """Return what makes a column of ``raw``: what is mapped, else usual, else its own name."""
        return self.columns.get(column) or source.usual.get(column) or f"`{column}`"

    def value(self, source: Source, column: str) -> str:
        """Return the expression of a column of ``raw``, single values cast to its type."""
        kind, expression = source.reads[column], self.expression(source, column)
        if kind.element is not None or kind.fields:
            return expression
        return f"CAST({expression} AS {kind})"

    def taken_by_name(self, source: Source) -> list[str]:
        """Return the columns of ``raw`` that the table must have under the same name."""
        return [
            name for name in source.reads if name not in self.columns and name not in source.usual
        ]

    def bound(self, source: Source) -> str | None:
        """Return the column that bounds what is read, or None where the table is read whole."""
        return self.time or source.time

    def for_files(self, table: str) -> Source:
        """Return a source that reads files with the columns that the mapping's expressions name.

        Raises:
            ContractError: a column has no type.
        """
        source = self.source_for(table)
        types: dict[str, Type] = {}
        for column in source.reads:
            for name in _columns_of(self.expression(source, column)):
                kind = self.reads.get(name) or source.reads.get(name)
                if kind is None:
                    raise ContractError(
                        f"{self.path}: columns: {column}: the type of {name!r} is not said; "
                        f"write reads: {{{name}: STRING}}, say"
                    )
                types[name] = kind
        sql = self.statement(source, _FILES)
        name = f"{source.name} through mapping {self.name}"
        return replace(source, name=name, sql=sql, reads=types, reads_from=_FILES, usual={})

    def statement(self, source: Source, table: str, *, bounded: bool = False) -> str:
        """Return the source's SQL over a table: one query in GoogleSQL, the same each time.

        Args:
            source: what ``source_for`` returned.
            table: the table as SQL names it.
            bounded: whether the rows read are bounded by ``@start`` (``@since`` where the source
                looks back) and ``@end``; the answer then begins at ``@start``.
        """
        columns = ",\n".join(
            f"    {self.value(source, column)} AS `{column}`" for column in source.reads
        )
        raw = f"WITH raw AS (\n  SELECT\n{columns}\n  FROM {table}"
        time = self.bound(source)
        if bounded:
            first = "@since" if source.lookback else "@start"
            raw += f"\n  WHERE\n    {time} >= {first}\n    AND {time} < @end"
        body = re.sub(r"\A(--[^\n]*\n)+", "", source.sql).strip()
        rest = body.removeprefix("WITH ")
        sql = f"{raw}\n){',' if rest != body else ''}\n\n{rest}"
        partition = contract(source.fills).partition
        if not bounded or partition is None:
            return sql
        names = cast(exp.Query, sqlglot.parse_one(body, read="bigquery")).named_selects
        return (
            f"SELECT {', '.join(names)}\nFROM (\n{sql}\n)\n"
            f"WHERE {partition} >= @start AND {partition} < @end"
        )


def read_mapping(name: str) -> TableMapping:
    """Return the mapping of a name such as ``our-lb``.

    Raises:
        UnknownName: there is no such mapping.
        ContractError: its YAML is wrong; the message names file and key.
    """
    path = resources.find("queries", f"mappings/{name}.yaml")
    if path is None:
        known = list_mappings()
        raise UnknownName(
            f"there is no mapping {name!r}.{nearest(name, known)} "
            f"Mappings under queries/mappings: {', '.join(known) or 'none'}"
        )
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(given, dict):
        raise ContractError(f"{path}: a mapping has a source and columns")
    return _mapping(name, path, given)


def list_mappings() -> list[str]:
    """Return the names of all mappings."""
    found = resources.listing("queries", "mappings/**/*.yaml")
    return [name.removeprefix("mappings/").removesuffix(".yaml") for name, _ in found]


def _mapping(name: str, path: Path, given: dict[str, Any]) -> TableMapping:
    for key in given:
        if key not in _KEYS:
            raise ContractError(f"{path}: unknown key {key!r}.{nearest(key, sorted(_KEYS))}")
    for key in ("says", "source"):
        if not isinstance(given.get(key), str):
            raise ContractError(f"{path}: {key!r} is missing")
    sources = _sources(path, given["source"])
    read = list(dict.fromkeys(column for source in sources for column in source.reads))
    columns = {}
    for column, expression in _block(path, given, "columns").items():
        if column not in read:
            raise ContractError(
                f"{path}: columns: source {given['source']} reads no {column!r}."
                f"{nearest(column, read)} It reads: {', '.join(read)}"
            )
        columns[column] = _expression(f"{path}: columns: {column}", expression)
    reads = {}
    for column, kind in _block(path, given, "reads").items():
        try:
            reads[column] = Type.parse(str(kind))
        except ContractError as error:
            raise ContractError(f"{path}: reads: {column}: {error}") from None
    time = given.get("time")
    if time is not None and not isinstance(_parsed(str(time)), exp.Column):
        raise ContractError(
            f"{path}: time: {time!r} is no column; name the bare one that the table is "
            "partitioned by, so that days outside the period are not read"
        )
    table = given.get("from")
    if table is not None and not _TABLE.fullmatch(str(table)):
        raise ContractError(f"{path}: from: {table!r} is no table; write project.dataset.table")
    return TableMapping(
        name=name,
        path=path,
        source=given["source"],
        columns=columns,
        reads=reads,
        table=table,
        time=time,
        step=length(path, "step", given.get("step")),
        parameters=_block(path, given, "parameters"),
    )


def _sources(path: Path, name: str) -> list[Source]:
    known = list_sources()
    found = [each for each in known if each == name or each.startswith(f"{name}/")]
    if not found:
        folders = sorted({each.rpartition("/")[0] for each in known})
        raise ContractError(
            f"{path}: source: there is no {name!r}.{nearest(name, [*folders, *known])} "
            f"Sources: {', '.join(known)}"
        )
    return [read_source(each) for each in found]


def _block(path: Path, given: dict[str, Any], key: str) -> dict[str, Any]:
    block = given.get(key) or {}
    if not isinstance(block, dict):
        raise ContractError(f"{path}: {key}: write a mapping of names to values, not {block!r}")
    return block


def _parsed(expression: str) -> exp.Expression | None:
    """Return the one expression that a text is, or None."""
    try:
        select = sqlglot.parse_one(f"SELECT {expression}", read="bigquery")
    except sqlglot.errors.SqlglotError:
        return None
    plain = {key for key, value in select.args.items() if value} <= {"expressions"}
    if not isinstance(select, exp.Select) or not plain or len(select.expressions) != 1:
        return None
    only: exp.Expression = select.expressions[0]
    return None if isinstance(only, exp.Alias | exp.Star) else only


def _expression(where: str, given: Any) -> str:
    text = "NULL" if given is None else str(given)
    if _parsed(text) is None:
        raise ContractError(f"{where}: {text!r} is not one expression in GoogleSQL")
    return text


def _columns_of(expression: str) -> list[str]:
    """Return the columns that an expression names; of a field of a struct, the struct."""
    parsed = _parsed(expression)
    if parsed is None:
        return []
    entries = {name for unnest in parsed.find_all(exp.Unnest) for name in unnest.alias_column_names}
    roots = [column.parts[0].name for column in parsed.find_all(exp.Column)]
    return [name for name in dict.fromkeys(roots) if name not in entries]
