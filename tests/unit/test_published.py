"""The ledger of published numbers is whole or not there, and can be read back exactly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fleetslo.errors import OutputError
from fleetslo.published import COLUMNS, read_published_numbers, record

AT = datetime(2026, 11, 1, 6, tzinfo=UTC)
RUN = "20261101T060000Z-0001"


def row(service: str = "checkout", **other: Any) -> dict[str, Any]:
    return {
        "service": service, "objective": f"{service}-availability", "label": "Availability",
        "unit": "requests", "window_start": "2026-10-04T00:00:00+00:00",
        "window_end": "2026-11-01T00:00:00+00:00", "target": 0.999, "good_count": 34_043_811.0,
        "valid_count": 34_043_815.0, "uncertain_count": 0.0, "bad_count": 4.0,
        "sli": 34_043_811 / 34_043_815, "budget_left": None, "verdict": "met", **other,
    }  # fmt: skip


def test_without_a_ledger_nothing_was_published(tmp_path: Path) -> None:
    nothing = read_published_numbers(tmp_path)
    assert nothing.is_empty()
    assert nothing.schema == pl.Schema(COLUMNS)


def test_numbers_come_back_as_they_were_published(tmp_path: Path) -> None:
    record(tmp_path, RUN, AT, [row(), row("search")])
    back = read_published_numbers(tmp_path, ["checkout"])
    assert back.schema == pl.Schema(COLUMNS)
    (found,) = back.to_dicts()
    assert found["sli"] == 34_043_811 / 34_043_815  # to the last bit
    assert found["window_end"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert (found["run_id"], found["published_at"]) == (RUN, AT)
    assert found["budget_left"] is None


def test_a_window_on_two_pages_is_kept_once(tmp_path: Path) -> None:
    record(tmp_path, RUN, AT, [row(), row()])
    assert read_published_numbers(tmp_path).height == 1


def test_a_run_without_numbers_leaves_no_file(tmp_path: Path) -> None:
    assert record(tmp_path, RUN, AT, []) is None
    assert list(tmp_path.iterdir()) == []


def test_every_run_is_kept_until_it_is_too_old(tmp_path: Path) -> None:
    record(tmp_path, "20250901T060000Z-0001", AT - timedelta(days=426), [row()])
    record(tmp_path, "20251001T060000Z-0001", AT - timedelta(days=396), [row()])
    record(tmp_path, RUN, AT, [row()])
    # Kept for 400 days: 400 days before 1 Nov 2026 is 27 Sep 2025.
    assert read_published_numbers(tmp_path)["run_id"].to_list() == ["20251001T060000Z-0001", RUN]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = record(tmp_path, RUN, AT, [row()])
    assert path is not None
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(OutputError, match=rf"{RUN}.parquet: cannot be read .*; move it away"):
        read_published_numbers(tmp_path)


def test_a_ledger_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "published").write_text("in the way")
    with pytest.raises(OutputError, match="move it away or choose another folder"):
        record(tmp_path, RUN, AT, [row()])
    assert [path.name for path in tmp_path.iterdir()] == ["published"]
