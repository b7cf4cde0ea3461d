"""A number that was published and is another one now is told, with the reason."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.reliability.restatements import NUMBERS, published_numbers, restatements

END = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 1, 6, tzinfo=UTC)


def judgement(good: float, valid: float, **other: Any) -> dict[str, Any]:
    return {
        "service": "checkout",
        "objective": "checkout-availability",
        "label": "Availability",
        "unit": "requests",
        "window_start": END - timedelta(days=28),
        "window_end": END,
        "target": 0.999,
        "good_count": float(good),
        "valid_count": float(valid),
        "uncertain_count": 0.0,
        "bad_count": float(valid - good),
        "sli": good / valid if valid else None,
        "budget_left": 1 - (valid - good) / (valid * 0.001) if valid else None,
        "verdict": "met",
        "is_running": False,
        **other,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**NUMBERS, "is_running": pl.Boolean})


def published(*rows: dict[str, Any], at: datetime = LATER) -> pl.DataFrame:
    return frame(*rows).drop("is_running").with_columns(published_at=pl.lit(at))


def test_what_is_published_is_plain_json_and_exact() -> None:
    (row,) = published_numbers(frame(judgement(99_950_001, 100_000_003)))
    assert json.loads(json.dumps(row)) == row
    assert row["valid_count"] == 100_000_003
    assert row["window_end"] == "2026-11-01T00:00:00+00:00"
    assert set(row) == set(NUMBERS)


def test_what_will_change_anyway_is_not_kept() -> None:
    running = judgement(9, 10, is_running=True)
    assert published_numbers(frame(running, judgement(0, 0))) == []


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (judgement(99_900, 100_010), "late data"),
        (judgement(99_900, 99_990), "fewer requests count now"),
        (judgement(99_890, 100_000), "corrected data"),
        (judgement(99_910, 100_000, target=0.9995), "the objective was changed"),
    ],
)
def test_a_restatement_says_why(now: dict[str, Any], why: str) -> None:
    (row,) = restatements(published(judgement(99_910, 100_000)), [frame(now)])
    assert row["why"] == why
    assert row["published_sli"] == 0.9991
    assert row["now_sli"] == now["sli"]
    assert row["window_end"] == END


def test_the_same_counts_are_no_restatement() -> None:
    row = judgement(99_910, 100_000)
    assert restatements(published(row), [frame(row)]) == []
    # A mean over slices that was summed in another order
    nudged = {**row, "good_count": row["good_count"] * (1 + 1e-13)}
    assert restatements(published(row), [frame(nudged)]) == []


def test_of_one_window_the_newest_published_numbers_count() -> None:
    first, second = judgement(99_910, 100_000), judgement(99_900, 100_010)
    told = pl.concat([published(second, at=LATER + timedelta(days=1)), published(first)])
    assert restatements(told, [frame(second)]) == []


def test_another_window_is_not_compared() -> None:
    week = timedelta(days=7)
    earlier = judgement(
        9, 10, window_start=END - timedelta(days=35), window_end=END - week
    )  # fmt: skip
    assert restatements(published(earlier), [frame(judgement(10, 10))]) == []


def test_the_greatest_change_comes_first() -> None:
    small, great = (judgement(100, 100, service=name) for name in ("small", "great"))
    now = frame({**small, **_worse(small, 1)}, {**great, **_worse(great, 9)})
    found = restatements(published(small, great), [now])
    assert [row["service"] for row in found] == ["great", "small"]


def _worse(row: dict[str, Any], bad: int) -> dict[str, float]:
    return {"good_count": 100.0 - bad, "bad_count": float(bad), "sli": 1 - bad / 100}
