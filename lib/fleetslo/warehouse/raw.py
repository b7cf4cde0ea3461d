"""The files that a source maps, read as one table with the types that its YAML declares."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from fleetslo.errors import DataFileError, nearest
from fleetslo.warehouse.types import Type

# How a file is read, by its suffixes; each may be followed by .gz except Parquet's.
_KINDS = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".parquet": "parquet",
}


def read_raw(files: Sequence[Path], columns: Mapping[str, Type]) -> pl.DataFrame:
    """Return the rows of all files in order, with the declared columns and types.

    Other columns of the files are left unread. An empty field of a CSV file is null.

    Args:
        files: CSV, NDJSON or Parquet, one at least.
        columns: name to type. A text that is a TIMESTAMP may lack its zone: it is UTC.

    Raises:
        DataFileError: a file is missing, damaged or of an unknown kind, lacks a column, or holds
            a value of another type; the message names file, row, column and value.
    """
    if not files:
        raise DataFileError("there is no file to read; name one at least")
    return pl.concat([_read(path, columns) for path in files])


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else path.suffix.lower()
    if suffix not in _KINDS:
        raise DataFileError(f"{path}: of an unknown kind; give .csv, .ndjson (.gz too) or .parquet")
    return _KINDS[suffix]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError, OSError, EOFError) as error:
        first = str(error).partition("\n")[0]
        raise DataFileError(f"{path}: cannot be read: {first}") from None


def _read(path: Path, columns: Mapping[str, Type]) -> pl.DataFrame:
    kind = _kind(path)
    if not path.is_file():
        raise DataFileError(f"{path}: there is no such file")
    with _reading(path):
        match kind:
            case "csv":
                frame = pl.read_csv(path, infer_schema=False)
            case "parquet":
                frame = pl.read_parquet(path)
            case _:
                frame = _ndjson(path, columns)
    for name in columns:
        if name not in frame.columns:
            raise DataFileError(
                f"{path}: column {name!r} is missing.{nearest(name, frame.columns)} "
                f"It has: {', '.join(frame.columns) or 'none'}"
            )
    return pl.DataFrame([_typed(path, frame[name], kind) for name, kind in columns.items()])


def _ndjson(path: Path, columns: Mapping[str, Type]) -> pl.DataFrame:
    types = {name: kind.duckdb for name, kind in columns.items()}
    with duckdb.connect() as place:
        place.execute("SET TimeZone = 'UTC'")
        found: pl.DataFrame = place.sql(
            "SELECT * FROM read_json($file, format = 'newline_delimited', columns = $types)",
            params={"file": str(path), "types": types},
        ).pl()
    return found


def _instants(texts: pl.Series) -> pl.Series:
    """Return texts as instants, null where they are none; DuckDB reads mixed spellings, too."""
    with duckdb.connect() as place:
        place.execute("SET TimeZone = 'UTC'")
        place.register("texts", pl.DataFrame({"text": texts}))
        found: pl.DataFrame = place.sql(
            "SELECT TRY_CAST(text AS TIMESTAMPTZ) AS instant FROM texts"
        ).pl()
    return found["instant"].dt.replace_time_zone("UTC").alias(texts.name)


def _typed(path: Path, given: pl.Series, kind: Type) -> pl.Series:
    """Return a column in its declared type, or name the first value that is not of it."""
    if given.dtype == kind.polars:
        return given
    text = given.dtype == pl.String
    with _reading(path):
        if text and kind.kind == "TIMESTAMP":
            cast = _instants(given)
        elif text and kind.kind == "BOOL":
            words = {"true": True, "false": False}
            cast = given.str.to_lowercase().replace_strict(words, default=None)
        else:
            cast = given.cast(kind.polars, strict=False)
    wrong = (cast.is_null() & given.is_not_null()).arg_max()
    if wrong is not None and cast.is_null()[wrong] and given.is_not_null()[wrong]:
        raise DataFileError(
            f"{path}: row {wrong + 1}: column {given.name!r} is {given[wrong]!r}; it must be {kind}"
        )
    return cast
