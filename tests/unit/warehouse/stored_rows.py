"""Small, valid rows of the tables, and the files that hold them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from fleetslo.warehouse.contracts import contract

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


def request_row(minute: datetime = NOON, **given: Any) -> dict[str, Any]:
    """12 requests, 2 of them faults, 10 with a duration (bucket -44 is about 0.15 s)."""
    row = {
        "minute": minute,
        "service": "checkout",
        "endpoint": "GET /cart",
        "region": "eu",
        "version": "1",
        "request_count": 12,
        "error_count": 2,
        "duration_sum_s": 1.5,
        "latency": [{"bucket": -44, "count": 6}, {"bucket": -43, "count": 4}],
        "quality": "exact",
        "observed_count": 12,
    }
    return {**row, **given}


def requests(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=contract("requests").schema, orient="row")


def minutes(count: int, start: datetime = NOON, **given: Any) -> list[dict[str, Any]]:
    return [request_row(start + timedelta(minutes=place), **given) for place in range(count)]


def incident_row(**given: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(contract("incidents").by_name)
    row |= {"incident_id": "i1", "service": "checkout", "started_at": NOON, "cause": "unknown"}
    return {**row, **given}


def incidents(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=contract("incidents").schema, orient="row")


def parquet(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(path)
    return path


def csv(path: Path, rows: list[dict[str, Any]], **texts: str) -> Path:
    """Write rows as CSV, a histogram as JSON pairs; ``texts`` replace whole columns."""
    lines = [",".join(rows[0])]
    for row in rows:
        cells = []
        for name, value in row.items():
            if name in texts:
                text = texts[name]
            elif isinstance(value, datetime):
                text = value.strftime("%Y-%m-%dT%H:%M:%SZ")
            elif isinstance(value, list):
                text = json.dumps([[entry["bucket"], entry["count"]] for entry in value])
            else:
                text = "" if value is None else str(value)
            cells.append(
                '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
            )
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def ndjson(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, default=_iso) + "\n" for row in rows), encoding="utf-8")
    return path


def _iso(value: datetime) -> str:
    return value.isoformat()
