"""Answers as text or Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

from fleetslo.files import write_file

if TYPE_CHECKING:
    import polars as pl


def frame_text(frame: "pl.DataFrame", form: str) -> str:
    """Return a frame as ``csv`` or ``json`` text; histograms become JSON, times end in Z."""
    import polars as pl

    if form == "json":
        import json

        rows = frame.to_dicts()
        return json.dumps(rows, default=_plain, ensure_ascii=False, indent=1)
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    plain = frame.with_columns(
        pl.col(name).map_elements(_json_list, return_dtype=pl.String) for name in lists
    )
    return plain.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")


def _json_list(value: "pl.Series") -> str:
    import json

    return json.dumps(list(value), separators=(",", ":"))


def _plain(value: object) -> str:
    from datetime import date, datetime

    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def write_frame(frame: "pl.DataFrame", form: str, path: Path | None) -> str:
    """Write a frame as ``table``, ``csv``, ``json`` or ``parquet``; return it where it is text.

    Raises:
        OutputError: the file cannot be written.
    """
    if form == "parquet":
        from io import BytesIO

        buffer = BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        assert path is not None  # noqa: S101  (the command refuses parquet without a file)
        write_file(path, buffer.getvalue())
        return ""
    text = frame_text(frame, "csv" if form == "table" else form)
    if path is not None:
        write_file(path, text)
    return text
