"""GoogleSQL column types, and what they are called by Polars, DuckDB and BigQuery.

A contract names types as GoogleSQL does: ``STRING INT64 FLOAT64 BOOL TIMESTAMP DATE``,
``ARRAY<…>`` and ``STRUCT<name type, …>``. The one type with a meaning of its own is the
histogram, ``ARRAY<STRUCT<bucket INT64, count INT64>>``.
"""

import re
from dataclasses import dataclass

import polars as pl

from fleetslo.errors import ContractError

# GoogleSQL, DuckDB, Polars. Instants are microseconds in UTC in all three.
_SCALARS: dict[str, tuple[str, pl.DataType]] = {
    "STRING": ("VARCHAR", pl.String()),
    "INT64": ("BIGINT", pl.Int64()),
    "FLOAT64": ("DOUBLE", pl.Float64()),
    "BOOL": ("BOOLEAN", pl.Boolean()),
    "TIMESTAMP": ("TIMESTAMPTZ", pl.Datetime("us", "UTC")),
    "DATE": ("DATE", pl.Date()),
}
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|[<>,])")


@dataclass(frozen=True)
class Type:
    """One GoogleSQL type: a scalar, an array of ``element`` or a struct of ``fields``."""

    kind: str
    element: "Type | None" = None
    fields: tuple[tuple[str, "Type"], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Type":
        """Return the type that a text such as ``ARRAY<INT64>`` names.

        Raises:
            ContractError: the text is no type that fleetslo stores.
        """
        parser = _Parser(text)
        parsed = parser.type()
        parser.finish()
        return parsed

    @property
    def polars(self) -> pl.DataType:
        """The Polars type of such a column."""
        if self.element is not None:
            return pl.List(self.element.polars)
        if self.fields:
            return pl.Struct({name: of.polars for name, of in self.fields})
        return _SCALARS[self.kind][1]

    @property
    def duckdb(self) -> str:
        """The DuckDB type of such a column, as SQL."""
        if self.element is not None:
            return f"{self.element.duckdb}[]"
        if self.fields:
            inside = ", ".join(f"{name} {of.duckdb}" for name, of in self.fields)
            return f"STRUCT({inside})"
        return _SCALARS[self.kind][0]

    @property
    def is_histogram(self) -> bool:
        """Whether the type is an array of (bucket, count)."""
        return self == HISTOGRAM

    def __str__(self) -> str:
        """Return the type as GoogleSQL spells it."""
        if self.element is not None:
            return f"ARRAY<{self.element}>"
        if self.fields:
            return f"STRUCT<{', '.join(f'{name} {of}' for name, of in self.fields)}>"
        return self.kind


class _Parser:
    """Reads one type, token by token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text) or not self.tokens:
            raise self._wrong()

    def _wrong(self) -> ContractError:
        known = " ".join(_SCALARS)
        return ContractError(
            f"{self.text!r} is not a type; write one of {known}, ARRAY<…> or STRUCT<name type, …>"
        )

    def _take(self, expected: str | None = None) -> str:
        if not self.tokens or expected not in (None, self.tokens[0]):
            raise self._wrong()
        return self.tokens.pop(0)

    def type(self) -> Type:
        """Return the type that begins at the next token."""
        word = self._take().upper()
        if word == "ARRAY":
            self._take("<")
            element = self.type()
            self._take(">")
            return Type("ARRAY", element=element)
        if word == "STRUCT":
            self._take("<")
            fields = [self._field()]
            while self.tokens[:1] == [","]:
                self._take(",")
                fields.append(self._field())
            self._take(">")
            return Type("STRUCT", fields=tuple(fields))
        if word not in _SCALARS:
            raise self._wrong()
        return Type(word)

    def _field(self) -> tuple[str, Type]:
        name = self._take()
        return name, self.type()

    def finish(self) -> None:
        """Refuse whatever follows the type."""
        if self.tokens:
            raise self._wrong()


HISTOGRAM = Type(
    "ARRAY",
    element=Type("STRUCT", fields=(("bucket", Type("INT64")), ("count", Type("INT64")))),
)
