"""Writing answers and files so that nothing is left half-written."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleetslo.errors import OutputError

if TYPE_CHECKING:
    import polars as pl


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file through a temporary one beside it and a rename: whole or not at all.

    Raises:
        OutputError: the folder cannot be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder you may write to"
        ) from None


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
        write_whole(path, buffer.getvalue())
        return ""
    text = frame_text(frame, "csv" if form == "table" else form)
    if path is not None:
        write_whole(path, text)
    return text
