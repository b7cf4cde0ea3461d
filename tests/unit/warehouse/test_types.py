import polars as pl
import pytest

from fleetslo.errors import ContractError
from fleetslo.warehouse.types import HISTOGRAM, Type


@pytest.mark.parametrize(
    ("text", "duckdb", "polars"),
    [
        ("STRING", "VARCHAR", pl.String()),
        ("int64", "BIGINT", pl.Int64()),
        ("FLOAT64", "DOUBLE", pl.Float64()),
        ("BOOL", "BOOLEAN", pl.Boolean()),
        ("TIMESTAMP", "TIMESTAMPTZ", pl.Datetime("us", "UTC")),
        ("DATE", "DATE", pl.Date()),
        ("ARRAY<STRING>", "VARCHAR[]", pl.List(pl.String())),
        (
            "STRUCT<a INT64, b ARRAY<DATE>>",
            "STRUCT(a BIGINT, b DATE[])",
            pl.Struct({"a": pl.Int64(), "b": pl.List(pl.Date())}),
        ),
    ],
)
def test_a_type_has_a_name_in_each_engine(text, duckdb, polars):
    kind = Type.parse(text)
    assert kind.duckdb == duckdb
    assert kind.polars == polars
    assert Type.parse(str(kind)) == kind


def test_the_histogram_is_known_however_it_is_spaced():
    assert Type.parse("ARRAY< STRUCT<bucket INT64,count INT64> >") == HISTOGRAM
    assert HISTOGRAM.is_histogram
    assert not Type.parse("ARRAY<INT64>").is_histogram
    assert str(HISTOGRAM) == "ARRAY<STRUCT<bucket INT64, count INT64>>"


@pytest.mark.parametrize(
    "text", ["", "INTEGER", "ARRAY", "ARRAY<INT64", "ARRAY<>", "STRUCT<a>", "INT64 INT64", "INT64!"]
)
def test_what_is_no_type_is_refused_with_what_to_write(text):
    with pytest.raises(ContractError, match=r"is not a type; write one of STRING INT64"):
        Type.parse(text)
