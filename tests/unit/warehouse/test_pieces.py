"""Pieces of an answer on disk: the same rows, each service's where its name says."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fleetslo.warehouse import pieces
from fleetslo.warehouse.pieces import bucket_of, files_of, write_pieces
from fleetslo.warehouse.queries import read_query

CONTRACT = read_query("slo/minutes").contract
NAMES = [f"service-{number}" for number in range(40)] + ["Käse-日本", "🛒", ""]


def rows(minute: int) -> pl.DataFrame:
    at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return pl.DataFrame(
        {
            "service": NAMES,
            "objective": "faults",
            "definition": "d",
            "minute": at,
            "good_count": [minute * 100 + place for place in range(len(NAMES))],
            "valid_count": 9999,
            "uncertain_count": 0,
        },
        schema=CONTRACT.schema,
    )


PIECES = [rows(minute) for minute in range(20)]


@pytest.mark.parametrize("held_bytes", [1, 10_000, 10**9])
@pytest.mark.parametrize("most_cuts", [10, 10_000])  # rows in order of their services, or not
def test_an_answer_is_the_same_whatever_is_held_in_memory(
    tmp_path, held_bytes, most_cuts, monkeypatch
):
    monkeypatch.setattr(pieces, "_MOST_CUTS", most_cuts)
    assert write_pieces(iter(PIECES), CONTRACT, "service", tmp_path, held_bytes) == 20 * len(NAMES)
    files = files_of(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files}
    assert (len(files) == 1) == (held_bytes == 10**9)
    everything = pl.concat(pl.read_parquet(path) for path in files)
    assert_frame_equal(everything, pl.concat(PIECES), check_row_order=False)
    for path in files:
        services = pl.read_parquet(path)["service"]
        assert services.to_list() == sorted(services)
    for name in NAMES:
        mine = pl.concat(pl.read_parquet(path) for path in files_of(tmp_path, [name]))
        assert_frame_equal(
            mine.filter(pl.col("service") == name),
            pl.concat(PIECES).filter(pl.col("service") == name),
        )


def test_a_service_reads_one_bucket(tmp_path):
    write_pieces(iter(PIECES), CONTRACT, "service", tmp_path, 1)
    assert len(files_of(tmp_path, ["service-7"])) == 1
    assert files_of(tmp_path, [f"absent-{number}" for number in range(1000)])
    # CRC-32 of "123456789" is 0xCBF43926 (the check value of its standard); its last seven bits: 38.
    assert bucket_of("123456789") == 0x26


def test_an_answer_without_rows_has_its_columns(tmp_path):
    assert write_pieces(iter([]), CONTRACT, "service", tmp_path) == 0
    (file,) = files_of(tmp_path, ["anybody"])
    assert pl.read_parquet(file).schema == pl.Schema(CONTRACT.schema)


def test_what_has_no_service_is_one_file(tmp_path):
    assert write_pieces(iter(PIECES), CONTRACT, None, tmp_path, 1) == 20 * len(NAMES)
    (file,) = files_of(tmp_path)
    assert_frame_equal(pl.read_parquet(file), pl.concat(PIECES))
