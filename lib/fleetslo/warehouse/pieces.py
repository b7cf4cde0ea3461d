"""A fleet's answer as Parquet files, written from pieces so that memory does not grow with it.

::

    <folder>/all.parquet          a small answer: one file, sorted by service
    <folder>/bucket-007.parquet   a large one: a service's rows are where its name hashes to

The same name lies in the same file on every machine, so that a reader opens no other.
"""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.layout import ROW_GROUP_ROWS

BUCKETS = 128
"""A fleet of 3,000 services has 3e8 rows of ``slo/minutes`` in four weeks: 190 MB a bucket."""
HELD_BYTES = 64 * 1024**2
"""Rows that are held before they are written; sorting takes as much again, or twice that."""

_MOST_CUTS = 10_000
"""More stretches of one service each than this are put in order before they are cut."""
_WHOLE = "all.parquet"


def write_pieces(
    pieces: Iterable[pl.DataFrame],
    contract: Contract,
    by: str | None,
    folder: Path,
    held_bytes: int = HELD_BYTES,
) -> int:
    """Write an answer into an empty folder, sorted by a column, and return its number of rows.

    Args:
        pieces: the answer in any order; each has the contract's columns.
        contract: that of the answer.
        by: the column that it will be read by; None keeps it in one file.
        folder: where to.
        held_bytes: the most that is held in memory before it is written.

    Raises:
        OSError: the folder cannot be written.
    """
    held: list[pl.DataFrame] = []
    runs: dict[int, list[Path]] = {}
    size = count = 0
    for piece in pieces:
        count += piece.height
        held.append(piece)
        size += int(piece.estimated_size())
        if by is not None and size > held_bytes:
            _write_run(pl.concat(held), by, folder, runs)
            held, size = [], 0
    rest = pl.concat([pl.DataFrame(schema=contract.schema), *held])
    if not runs or by is None:
        _write(rest if by is None else rest.sort(by, maintain_order=True), folder / _WHOLE)
        return count
    _write_run(rest, by, folder, runs)
    for bucket, of in sorted(runs.items()):
        part = pl.concat(pl.read_ipc(path) for path in of)
        _write(part.sort(by, maintain_order=True), _bucket(folder, bucket))
        for path in of:
            path.unlink()
    return count


def _write(rows: pl.DataFrame, file: Path) -> None:
    rows.write_parquet(file, compression="zstd", row_group_size=ROW_GROUP_ROWS, statistics=True)


def _write_run(rows: pl.DataFrame, by: str, folder: Path, runs: dict[int, list[Path]]) -> None:
    """Write rows that wait for the others of their buckets, and note their files.

    A warehouse answers a service's rows together, mostly: they are cut where the service changes,
    which is far less work than looking up the bucket of each row.
    """
    alike = rows[by].rle()
    if len(alike) > _MOST_CUTS:
        rows = rows.sort(by, maintain_order=True)
        alike = rows[by].rle()
    parts: dict[int, list[pl.DataFrame]] = {}
    first = 0
    for name, length in zip(alike.struct.field("value"), alike.struct.field("len"), strict=True):
        parts.setdefault(bucket_of(name), []).append(rows.slice(first, length))
        first += length
    for bucket, part in parts.items():
        of = runs.setdefault(bucket, [])
        of.append(folder / f".run-{bucket:03}-{len(of):05}.arrow")
        pl.concat(part).write_ipc(of[-1], compression="lz4")


def _bucket(folder: Path, bucket: int) -> Path:
    return folder / f"bucket-{bucket:03}.parquet"


def bucket_of(name: str) -> int:
    """Return the bucket of a name: the same in every process."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % BUCKETS


def files_of(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the files that hold an answer's rows of some names; none given means all."""
    whole = folder / _WHOLE
    if whole.is_file():
        return [whole]
    if not names:
        return sorted(folder.glob("bucket-*.parquet"))
    wanted = sorted({bucket_of(name) for name in names})
    files = [_bucket(folder, bucket) for bucket in wanted]
    return [file for file in files if file.is_file()]
