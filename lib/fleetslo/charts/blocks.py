"""The parts of a page: a notebook ends each cell in one, JupyterLab and the site both show it.

Every block is a frozen dataclass with ``payload()``, which is plain JSON, and knows how to show
itself: in JupyterLab as HTML, in a terminal as text, and for the site as the payload itself under
``MIMETYPE``, from which ``reports/html.py`` builds the page. Outputs that only JupyterLab needs
carry the metadata ``{"fleetslo": "lab"}``.

A sentence may mark **strong** words and `names`; everything else in it is shown as it stands.
A page is named ``page:fleet_overview`` or ``page:service_slo/checkout`` (notebook, then the true
name of the service); the site makes a link of it, or plain text where there is no such page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import tables, words
from fleetslo.charts.showing import LAB_ONLY, MIMETYPE, PLOTLY_MIMETYPE, Block, publish
from fleetslo.charts.tables import Col, Format, Kind

__all__ = [
    "LAB_ONLY",
    "MIMETYPE",
    "PLOTLY_MIMETYPE",
    "Block",
    "Changes",
    "Chart",
    "Col",
    "Format",
    "Kind",
    "Made",
    "Note",
    "Sources",
    "Table",
    "Tile",
    "Tiles",
    "Verdict",
]

MOST_NUMBERS = 1_000
"""Rows of "The numbers" that a page carries; a longer table is cut and says so."""

Rows = pl.DataFrame | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Verdict(Block):
    """The head of a page: where it is, its name, its verdict in one sentence, what it covers.

    Attributes:
        path: labels and pages from the fleet down, such as
            ``[("Fleet", "page:fleet_overview"), ("Payments squad", None), ("checkout", None)]``.
        name: the heading.
        verdict: met, at_risk, missed, unjudged, or None for a page that judges nothing as one.
        sentence: what a manager can repeat.
        covers: short facts: the period, tier, "data complete to 1 Nov 00:00", coverage.
        headline: what the index and the search show of this page; plain JSON.
        published: what the ledger keeps of it, a row per objective; see ``restatements``.
    """

    path: Sequence[tuple[str, str | None]]
    name: str
    verdict: str | None
    sentence: str
    covers: Sequence[str] = ()
    headline: Mapping[str, Any] = field(default_factory=dict)
    published: Sequence[Mapping[str, Any]] = ()

    kind: ClassVar[str] = "verdict"

    def __post_init__(self) -> None:
        """Refuse a verdict that does not exist."""
        _known_verdict(self.verdict)

    def payload(self) -> dict[str, Any]:
        """Return ``path, name, verdict, sentence, covers, headline, published``."""
        return {
            "block": self.kind,
            "path": [list(step) for step in self.path],
            "name": self.name,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "covers": list(self.covers),
            "headline": {key: tables.plain(value) for key, value in self.headline.items()},
            "published": [dict(row) for row in self.published],
        }

    def text(self) -> str:
        """Return name, verdict and sentence, a line each."""
        mark = " ".join(words.verdict_mark(self.verdict)) + ": " if self.verdict else ""
        sentence = self.sentence.replace("**", "").replace("`", "")
        return f"{self.name}\n{mark}{sentence}\n{' · '.join(self.covers)}"


@dataclass(frozen=True)
class Made:
    """How numbers are made: the formula, the counts that went in, the queries they came from."""

    formula: str
    counts: Mapping[str, int | float | None] = field(default_factory=dict)
    queries: Sequence[str] = ()

    def payload(self) -> dict[str, Any]:
        """Return ``formula, counts`` (label, value as read) and ``queries``."""
        return {
            "formula": self.formula,
            "counts": [[label, _exactly(value)] for label, value in self.counts.items()],
            "queries": list(self.queries),
        }


def _exactly(value: int | float | None) -> str:
    """Return a count in full: what went into a formula is not shortened."""
    whole = isinstance(value, int) or (value is not None and value.is_integer())
    return f"{value:,.0f}" if whole else words.number(value, 6)


@dataclass(frozen=True)
class Tile:
    """One number: what it is, the number as it is read, its counts or bounds, how it is made."""

    label: str
    value: str
    detail: str = ""
    verdict: str | None = None
    made: Made | None = None

    def __post_init__(self) -> None:
        """Refuse a verdict that does not exist."""
        _known_verdict(self.verdict)


@dataclass(frozen=True)
class Tiles(Block):
    """The numbers that the verdict rests on; four of them."""

    tiles: Sequence[Tile]

    kind: ClassVar[str] = "tiles"

    def payload(self) -> dict[str, Any]:
        """Return ``tiles``, each with ``label, value, detail, verdict, made``."""
        return {
            "block": self.kind,
            "tiles": [
                {
                    "label": tile.label,
                    "value": tile.value,
                    "detail": tile.detail,
                    "verdict": tile.verdict,
                    "made": tile.made.payload() if tile.made else None,
                }
                for tile in self.tiles
            ],
        }

    def text(self) -> str:
        """Return a line per tile."""
        return "\n".join(f"{tile.label}: {tile.value} ({tile.detail})" for tile in self.tiles)


@dataclass(frozen=True)
class Changes(Block):
    """What changed since the report before, in one line: "**Since last week:** …".

    ``made`` holds the numbers of both.
    """

    sentence: str
    made: Made | None = None

    kind: ClassVar[str] = "changes"

    def payload(self) -> dict[str, Any]:
        """Return ``sentence, made``."""
        made = self.made.payload() if self.made else None
        return {"block": self.kind, "sentence": self.sentence, "made": made}

    def text(self) -> str:
        """Return the line."""
        return self.sentence.replace("**", "").replace("`", "")


@dataclass(frozen=True)
class Note(Block):
    """A banner: the page is stale, data is late (``warning``), or a remark (``info``)."""

    sentence: str
    tone: Literal["info", "warning"] = "info"

    kind: ClassVar[str] = "note"

    def payload(self) -> dict[str, Any]:
        """Return ``sentence, tone``."""
        return {"block": self.kind, "sentence": self.sentence, "tone": self.tone}

    def text(self) -> str:
        """Return the line."""
        return self.sentence.replace("**", "").replace("`", "")


@dataclass(frozen=True)
class Chart(Block):
    """A figure, titled with its finding and described by its numbers.

    Attributes:
        title: the finding, or a plain fall-back ("No deployment stands out").
        says: what the chart shows, in one line.
        figure: made with ``theme.figure``.
        numbers: what is drawn, or its sums, as a table that tells the same story.
        made: how the numbers are made.
        width: ``full``, or ``half`` to stand beside the next half.
        height: in pixels; the figure's own unless given.
        columns: how to show ``numbers``; suggested by names and types unless given.
    """

    title: str
    says: str
    figure: go.Figure
    numbers: pl.DataFrame
    made: Made | None = None
    width: Literal["full", "half"] = "full"
    height: int | None = None
    columns: Sequence[Col] | None = None

    kind: ClassVar[str] = "chart"

    def payload(self) -> dict[str, Any]:
        """Return everything but the figure, which is an output of its own."""
        columns = self.columns or tables.columns_of(self.numbers)
        return {
            "block": self.kind,
            "title": self.title,
            "says": self.says,
            "width": self.width,
            "height": self.height or self.figure.layout.height or 280,
            "numbers": {
                **tables.table_payload(columns, self.numbers.head(MOST_NUMBERS)),
                "of": self.numbers.height,
            },
            "made": self.made.payload() if self.made else None,
        }

    def text(self) -> str:
        """Return title, description and the size of the table."""
        return f"{self.title}\n{self.says}\n{words.plural(self.numbers.height, 'row')} of numbers"

    def _ipython_display_(self) -> None:
        """Show title, figure and numbers; the middle output alone is what the site reads."""
        from fleetslo.charts import lab

        payload = self.payload()
        before, after = lab.chart(payload)
        publish({"text/html": before, "text/plain": self.title}, LAB_ONLY)
        publish(
            {
                MIMETYPE: payload,
                PLOTLY_MIMETYPE: json.loads(self.figure.to_json()),
                "text/plain": self.text(),
            }
        )
        publish({"text/html": after, "text/plain": self.says}, LAB_ONLY)


@dataclass(frozen=True)
class Table(Block):
    """A table, titled with its finding; sortable, and searched and filtered when asked for.

    Attributes:
        title: the finding.
        says: what the rows are.
        columns: what is shown; see ``Col``.
        rows: one dictionary or frame row each.
        search: whether rows can be searched by their texts.
        filters: keys of columns that get a choice of their values above the table.
        sort: the column that rows are sorted by at first, and whether downwards.
        made: how the numbers are made.
        empty: what is said when there are no rows.
        width: ``full``, or ``half`` to stand beside the next half.
        most: rows shown at first, with a button for the rest; None shows all.
    """

    title: str
    says: str
    columns: Sequence[Col]
    rows: Rows
    search: bool = False
    filters: Sequence[str] = ()
    sort: tuple[str, bool] | None = None
    made: Made | None = None
    empty: str = "There is nothing to show."
    width: Literal["full", "half"] = "full"
    most: int | None = None

    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        """Refuse a filter or an order by a column that is not there."""
        known = [column.key for column in self.columns]
        for key in (*self.filters, *([self.sort[0]] if self.sort else [])):
            if key not in known:
                raise KeyError(f"{key!r} is no column of this table; it has {', '.join(known)}")

    def payload(self) -> dict[str, Any]:
        """Return title, options and column-wise data; see ``tables.table_payload``."""
        return {
            "block": self.kind,
            "title": self.title,
            "says": self.says,
            "search": self.search,
            "filters": list(self.filters),
            "sort": list(self.sort) if self.sort else None,
            "empty": self.empty,
            "width": self.width,
            "most": self.most,
            "table": tables.table_payload(self.columns, self.rows, self.sort),
            "made": self.made.payload() if self.made else None,
        }

    def text(self) -> str:
        """Return title, description and the number of rows."""
        rows = len(self.rows)
        return f"{self.title}\n{self.says}\n{words.plural(rows, 'row') if rows else self.empty}"


@dataclass(frozen=True)
class Sources(Block):
    """The end of a page: where the numbers come from, how fresh they are, how to look closer.

    Attributes:
        rows: one per source: ``name``, ``complete_until`` (a datetime or None), ``says`` (what it
            was used for, or its quality); further columns are left out.
        lab: a line that opens the same service, period and filters in JupyterLab.
        run: facts of the run: ``{"Period": …, "Warehouse": …}``.
    """

    rows: Rows
    lab: str | None = None
    run: Mapping[str, str] = field(default_factory=dict)

    kind: ClassVar[str] = "sources"

    def payload(self) -> dict[str, Any]:
        """Return ``table, lab, run``."""
        columns = (
            Col("name", "Source", "code"),
            Col("says", "Used for"),
            Col("complete_until", "Complete until (UTC)", "time"),
        )
        rows = [
            {column.key: row.get(column.key) for column in columns}
            for row in tables.rows_of(self.rows)
        ]
        return {
            "block": self.kind,
            "table": tables.table_payload(columns, rows),
            "lab": self.lab,
            "run": [[label, str(value)] for label, value in self.run.items()],
        }

    def text(self) -> str:
        """Return a line per source."""
        return "\n".join(
            f"{row.get('name')}: complete until {words.moment(row.get('complete_until'))}"
            for row in tables.rows_of(self.rows)
        )


def _known_verdict(verdict: str | None) -> None:
    if verdict is not None and verdict not in words.MARKS:
        raise ValueError(
            f"{verdict!r} is no verdict; it is one of {', '.join(words.MARKS)} or None"
        )
