"""Rows of a table turned into what a page carries: raw values to sort by, words to read.

A payload is column-wise, since a fleet has thousands of rows: ``values`` are what sorting,
searching and drawing use, ``texts`` what is read, left out where the value itself is read.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import polars as pl

from fleetslo.charts import words

Kind = Literal[
    "text", "number", "percent", "verdict", "bar", "spark", "link", "time", "badge", "code"
]
Format = Literal[
    "count",
    "number",
    "percent",
    "share",
    "latency",
    "ms",
    "duration",
    "burn",
    "ratio",
    "day",
    "time",
]

_WORDS: dict[str, Callable[[Any], str]] = {
    "count": words.count,
    "number": words.number,
    "percent": words.percent,
    "share": words.share,
    "latency": words.latency,
    "ms": words.milliseconds,
    "duration": words.duration,
    "burn": words.burn,
    "ratio": words.ratio,
    "day": words.day,
    "time": words.moment,
}
_DEFAULT_FORMAT = {"number": "count", "percent": "percent", "bar": "share", "time": "time"}
_ENDINGS: tuple[tuple[tuple[str, ...], Kind, Format], ...] = (
    (("_count", "count"), "number", "count"),
    (("_s",), "number", "duration"),
    (("sli", "sli_low", "sli_high", "target"), "percent", "percent"),
    (("share", "spent", "_left", "coverage"), "percent", "share"),
    (("burn", "burn_rate"), "number", "burn"),
)
_LATENCIES = ("p50", "p75", "p90", "p95", "p99", "p999")
VERDICT_ORDER = {"missed": 0, "at_risk": 1, "unjudged": 2, "met": 3}
"""Verdicts as they are sorted: what needs somebody comes first."""
_SHORT = 28  # characters; a column of links that are all shorter is not broken at its hyphens
SPARK_STEPS = 31
"""Heights a bar of a sparkline may have; it is 22 px tall."""


@dataclass(frozen=True)
class Col:
    """One column of a table.

    Attributes:
        key: the column of the rows that it shows.
        label: its head.
        kind: ``text``; ``number``; ``percent`` (a ratio); ``verdict`` (met, at_risk, missed,
            unjudged); ``bar`` (a ratio of 1, drawn and written; under 0 it grows to the left);
            ``spark`` (a list of numbers); ``link`` (text that opens ``page``); ``time`` (a date
            or datetime); ``badge`` (a short word in a frame); ``code`` (monospace).
        unit: what stands in the head after the label, such as ``ms``.
        priority: 1 is always shown; on a telephone 3 is dropped, then 2.
        align: by kind unless given.
        format: how ``words`` says the value; by kind unless given.
        page: for a link, the column that holds its page ("page:service_slo/checkout").
        scale: a sparkline's or bar's full height: each ``row``'s own greatest value, the
            ``column``'s, or a number.
        words: other words for values, such as ``{"hurt": "Hurt"}``.
        against: for a percentage, the column that holds the target it must be told apart from.
        verdict: the column that gives a bar or number its verdict, or None.
        says: for a sparkline, the column that tells it in words.
        width: CSS width, such as ``8rem``.
        head: whether this column names the row (the first column does, unless one is marked).
    """

    key: str
    label: str
    kind: Kind = "text"
    unit: str | None = None
    priority: Literal[1, 2, 3] = 1
    align: Literal["left", "right"] | None = None
    format: Format | None = None
    page: str | None = None
    scale: float | Literal["row", "column"] | None = None
    words: Mapping[str, str] | None = None
    against: str | None = None
    verdict: str | None = None
    says: str | None = None
    width: str | None = None
    head: bool = False

    @property
    def side(self) -> str:
        """Where the column is aligned: numbers to the right."""
        return self.align or ("right" if self.kind in ("number", "percent") else "left")


def columns_of(frame: pl.DataFrame) -> list[Col]:
    """Return columns for a frame as its names and types suggest: ``bad_count`` is "Bad count".

    Names that end in ``_count`` are counts, ``_s`` durations, p50 … p99 and ``latency`` latencies,
    and ``sli``, ``target``, ``share``, ``spent``, ``left``, ``coverage``, ``burn`` what they say.
    """
    return [_column_of(name, dtype) for name, dtype in frame.schema.items()]


def _column_of(name: str, dtype: pl.DataType) -> Col:
    label = name.removesuffix("_s").replace("_", " ")
    label = label if label in _LATENCIES else words.capital(label)
    if dtype == pl.Date:
        return Col(name, label, "time", format="day")
    if dtype.is_temporal():
        return Col(name, label, "time")
    if name == "verdict":
        return Col(name, label, "verdict")
    if not dtype.is_numeric():
        return Col(name, label)
    bare = name.removesuffix("_s").lower()
    if bare in _LATENCIES or bare.endswith(("latency", *_LATENCIES)):
        return Col(name, label, "number", format="latency")
    for endings, kind, form in _ENDINGS:
        if name.lower().endswith(endings):
            return Col(name, label, kind, format=form)
    return Col(name, label, "number", format="number" if dtype.is_float() else "count")


def rows_of(rows: pl.DataFrame | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows as dictionaries, whatever they came as."""
    if isinstance(rows, pl.DataFrame):
        return list(rows.iter_rows(named=True))
    return list(rows)


def sorted_rows(
    rows: Sequence[Mapping[str, Any]], key: str, downwards: bool
) -> list[Mapping[str, Any]]:
    """Return rows in the order of a column; rows without a value come last either way."""

    def rank(row: Mapping[str, Any]) -> Any:
        value = row[key]
        if isinstance(value, list):
            return math.fsum(_known(value))
        return VERDICT_ORDER.get(value, value) if isinstance(value, str) else value

    known = [row for row in rows if plain(row[key]) is not None]
    return sorted(known, key=rank, reverse=downwards) + [
        row for row in rows if plain(row[key]) is None
    ]


def table_payload(
    columns: Sequence[Col],
    rows: pl.DataFrame | Sequence[Mapping[str, Any]],
    sort: tuple[str, bool] | None = None,
) -> dict[str, Any]:
    """Return ``columns`` (each with ``values`` and perhaps ``texts``) and ``count`` of the rows.

    Args:
        columns: what is shown.
        rows: a frame or dictionaries.
        sort: key of the column to sort by, and whether downwards.

    Raises:
        KeyError: a column's key is not in the rows; the message names both.
    """
    listed = rows_of(rows)
    if sort is not None and listed:
        listed = sorted_rows(listed, *sort)
    if not any(column.head for column in columns) and columns:
        named = columns[0].key
    else:
        named = next((column.key for column in columns if column.head), "")
    return {
        "columns": [_column_payload(one, listed, one.key == named) for one in columns],
        "count": len(listed),
    }


def _column_payload(
    column: Col, rows: Sequence[Mapping[str, Any]], names_row: bool
) -> dict[str, Any]:
    for needed in (column.key, column.page, column.against, column.verdict, column.says):
        if rows and needed is not None and needed not in rows[0]:
            raise KeyError(
                f"column {column.label!r} reads {needed!r}, which the rows do not have; "
                f"they have {', '.join(rows[0])}"
            )
    raw = [row[column.key] for row in rows]
    payload: dict[str, Any] = {
        "key": column.key,
        "label": column.label,
        "kind": column.kind,
        "priority": column.priority,
        "align": column.side,
    }
    payload.update(
        {
            key: value
            for key, value in (
                ("unit", column.unit),
                ("width", column.width),
                ("head", names_row or None),
            )
            if value is not None
        }
    )
    if column.kind == "spark":
        payload["values"] = _sparks(raw, column.scale)
        payload["sums"] = [None if one is None else plain(math.fsum(_known(one))) for one in raw]
        if column.says is not None:
            payload["says"] = [row[column.says] for row in rows]
        return payload
    payload["values"] = [plain(value) for value in raw]
    if column.kind == "link" and all(len(str(one)) <= _SHORT for one in raw):
        payload["short"] = True
    if column.page is not None:
        payload["pages"] = [row[column.page] for row in rows]
    if column.verdict is not None:
        payload["verdicts"] = [row[column.verdict] for row in rows]
    if column.kind == "bar":
        payload["full"] = _full(raw, column.scale)
    texts = _texts(column, raw, rows)
    if texts is not None:
        payload["texts"] = texts
    return payload


def _texts(column: Col, raw: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Return what is read in each cell, or None where the values are read as they are."""
    if column.words is not None:
        known = column.words
        return [words.NOTHING if one is None else known.get(str(one), str(one)) for one in raw]
    if column.kind == "verdict":
        return None
    form = column.format or _DEFAULT_FORMAT.get(column.kind)
    if form is None:
        return None
    if column.kind == "time" and column.format is None and raw and type(raw[0]) is date:
        form = "day"
    if column.against is not None and form == "percent":
        return [
            words.percent(one, against=row[column.against])
            for one, row in zip(raw, rows, strict=True)
        ]
    say = _WORDS[form]
    return [say(one) for one in raw]


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: times as ISO text, NaN as None, numbers to 7 digits."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return str(value)


def _known(values: Sequence[float | None]) -> list[float]:
    return [one for one in values if one is not None and math.isfinite(one)]


def _full(raw: Sequence[float | None], scale: float | str | None) -> float:
    """Return what a full bar stands for: 1, a given number, or the column's greatest."""
    if isinstance(scale, int | float):
        return float(scale)
    if scale == "column":
        return max((abs(one) for one in _known(raw)), default=1.0) or 1.0
    return 1.0


def _sparks(
    raw: Sequence[Sequence[float | None] | None], scale: float | str | None
) -> list[list[int | None] | None]:
    """Return bar heights of 0 … 31; None is a missing stretch, 0 nothing at all."""
    whole = max((max(_known(one), default=0.0) for one in raw if one is not None), default=0.0)

    def heights(one: Sequence[float | None] | None) -> list[int | None] | None:
        if one is None:
            return None
        greatest = max(_known(one), default=0.0)
        top = scale if isinstance(scale, int | float) else whole if scale == "column" else greatest
        return [_height(value, float(top)) for value in one]

    return [heights(one) for one in raw]


def _height(value: float | None, top: float) -> int | None:
    if value is None or not math.isfinite(value):
        return None
    if value <= 0 or top <= 0:
        return 0
    return min(SPARK_STEPS, max(1, round(value / top * SPARK_STEPS)))
