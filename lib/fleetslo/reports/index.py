"""The index of a site: every squad's and service's latest report, found by name or squad.

The rows of a large fleet lie in a script beside the page, since a page that is opened from the
file system cannot fetch.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from fleetslo.charts import markup, words
from fleetslo.charts.blocks import Col, Table
from fleetslo.charts.tables import sorted_rows

GLOBAL = "fleetsloIndex"
"""What the script beside the page sets on the window."""
_MOST_FAILURES = 50
"""Reports that could not be made and are named at the top; the tables mark all of them."""


class Stale(TypedDict, total=False):
    """What a row says when its newest report could not be made, and the page that says why."""

    stale: str
    stale_href: str


class Trend(TypedDict, total=False):
    """The budget left in past reports, the newest last (None: not judged), and that in words."""

    trend: Sequence[float | None]
    trend_says: str


class ServiceEntry(Stale, Trend):
    """The latest report of one service. ``href`` is relative to the index; None is no report."""

    service: str
    href: str | None
    squad: NotRequired[str | None]
    squad_href: NotRequired[str | None]
    tier: NotRequired[int | None]
    verdict: NotRequired[str | None]
    budget_left: NotRequired[float | None]
    sentence: NotRequired[str | None]
    period: NotRequired[str | None]


class SquadEntry(Stale, Trend):
    """The latest report of one squad: how many services and objectives, and how they stand."""

    squad: str
    href: str
    verdict: NotRequired[str | None]
    services: NotRequired[int | None]
    objectives: NotRequired[int | None]
    missed: NotRequired[int | None]
    sli: NotRequired[float | None]
    budget_left: NotRequired[float | None]
    sentence: NotRequired[str]
    feed: NotRequired[str]
    feed_href: NotRequired[str]


class ReportEntry(TypedDict):
    """A report about the fleet as a whole; ``says`` is its verdict in a sentence."""

    label: str
    href: str
    says: NotRequired[str]
    verdict: NotRequired[str | None]
    stale: NotRequired[str]


class OtherReport(TypedDict):
    """The newest pages of a report to which nothing else on the index leads."""

    report: str
    count: str
    pages: Sequence[Mapping[str, str]]


class PeriodEntry(TypedDict):
    """A period that was reported: its label, its own overview, how many reports it has."""

    label: str
    href: str | None
    report_count: int
    run: NotRequired[str | None]


class FailureEntry(TypedDict):
    """A report that could not be made: what it was to be, why not, the page that tells more."""

    label: str
    reason: str
    href: str | None


class Site(TypedDict):
    """All that the index shows.

    ``sentence`` is the verdict on the fleet, with ``verdict`` beside it if it has one as a whole;
    ``covers`` are short facts, as on every page.
    """

    title: str
    sentence: str
    services: Sequence[ServiceEntry]
    squads: NotRequired[Sequence[SquadEntry]]
    verdict: NotRequired[str | None]
    covers: NotRequired[Sequence[str]]
    reports: NotRequired[Sequence[ReportEntry]]
    others: NotRequired[Sequence[OtherReport]]
    periods: NotRequired[Sequence[PeriodEntry]]
    failures: NotRequired[Sequence[FailureEntry]]


_TREND = Col("trend", "Over time", "spark", priority=3, scale=1.0, says="trend_says")
_STALE = Col("stale", "Stale", "link", page="stale_href")
_COLUMNS = (
    Col("service", "Service", "link", page="href"),
    Col("squad", "Squad", "link", page="squad_href", priority=2),
    Col("tier", "Tier", "number", priority=3),
    Col("verdict", "Verdict", "verdict"),
    _STALE,
    Col("budget_left", "Budget left", "bar", priority=2, verdict="verdict"),
    _TREND,
    Col("sentence", "In a sentence", priority=3),
)
_ALWAYS = ("service", "verdict")


def services_table(site: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of the table of services; columns that nobody fills are left out."""
    rows = _rows(_COLUMNS, site["services"])
    shown = _filled(_COLUMNS, rows, _ALWAYS)
    has = {column.key for column in shown}
    table = Table(
        title=words.plural(len(rows), "service"),
        says="Each opens its latest report."
        + (" Over time: the budget left in the last reports." if "trend" in has else ""),
        columns=shown,
        rows=rows,
        search=True,
        filters=[key for key in ("squad", "tier", "verdict") if key in has],
        sort=("verdict", False),
        empty="No service has been reported yet. Run `fleetslo run` to make the first reports.",
    )
    return {**table.payload(), "source": GLOBAL}


def _rows(columns: Sequence[Col], entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table with all that its columns read, the least budget left first."""
    keys = {key for one in columns for key in (one.key, one.page, one.says) if key is not None}
    rows = [{key: one.get(key) for key in sorted(keys)} for one in entries]
    return [dict(row) for row in sorted_rows(rows, "budget_left", downwards=False)]


def _filled(
    columns: Sequence[Col], rows: Sequence[Mapping[str, Any]], always: Collection[str]
) -> list[Col]:
    """Return the columns that some row fills, and those that are always shown."""
    return [
        column
        for column in columns
        if column.key in always or any(row[column.key] is not None for row in rows)
    ]


_SQUADS = (
    Col("squad", "Squad", "link", page="href"),
    Col("verdict", "Verdict", "verdict"),
    _STALE,
    Col("services", "Services", "number", priority=3),
    Col("objectives", "Objectives", "number", priority=2),
    Col("missed", "Missed", "number"),
    Col("sli", "Combined SLI", "percent", priority=2),
    # Not the squad's verdict: it misses objectives also where all of them together have budget.
    Col("budget_left", "Combined budget left", "bar", priority=2, verdict="combined"),
    _TREND,
    Col("feed", "Feed", "link", page="feed_href", priority=3),
    Col("sentence", "In a sentence", priority=3),
)
# A handful of squads is read at a glance; more of them are looked for.
_FEW = 8


def squads_table(site: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the payload of the table of squads, or None where no squad has a report."""
    rows = _rows(_SQUADS, site.get("squads", ()))
    if not rows:
        return None
    for row in rows:
        row["combined"] = "missed" if (row["budget_left"] or 0) < 0 else None
    sometimes = {"stale", "trend", "feed"}
    shown = _filled(_SQUADS, rows, {column.key for column in _SQUADS} - sometimes)
    many = len(rows) > _FEW
    return Table(
        title=words.plural(len(rows), "squad"),
        says="Each opens its latest report.",
        columns=shown,
        rows=rows,
        search=many,
        filters=["verdict"] if many else [],
        sort=("verdict", False),
        most=_FEW,
    ).payload()


def script(site: Mapping[str, Any]) -> str | None:
    """Return the script that holds the rows of a large fleet, None where the page holds them."""
    table = services_table(site)["table"]
    if table["count"] <= markup.INLINE_ROWS:
        return None
    columns = markup.carried_columns(table["columns"], lambda address: address)
    return f"window.{GLOBAL}={markup.json_text(columns)};\n"


def page(site: Mapping[str, Any], data: str | None) -> dict[str, Any]:
    """Return what the template of the index is filled with."""
    payload = services_table(site)
    squads = squads_table(site)
    many = payload["table"]["count"] > markup.INLINE_ROWS
    failures = site.get("failures", ())
    if data is None:
        payload.pop("source")
    return {
        "title": site["title"],
        "head": markup.head(
            {
                "path": [],
                "name": site["title"],
                "verdict": site.get("verdict"),
                "sentence": site["sentence"],
                "covers": site.get("covers", ()),
            }
        ),
        "reports": [_unlike(report, site["sentence"]) for report in site.get("reports", ())],
        "squads": markup.table_card(squads, "squads", lambda address: address) if squads else "",
        "services": markup.table_card(payload, "services", lambda address: address),
        "others": site.get("others", ()),
        "periods": site.get("periods", ()),
        "failures": failures[:_MOST_FAILURES],
        "failed": words.plural(len(failures), "report"),
        "more_failures": len(failures[_MOST_FAILURES:]),
        "feeds": [
            (f"Reliability of {one['squad']}", one["feed_href"])
            for one in site.get("squads", ())
            if "feed_href" in one
        ],
        "data": data if many else None,
    }


def _unlike(report: Mapping[str, Any], sentence: str) -> Mapping[str, Any]:
    """Return a report without its sentence where the page has just said the same."""
    if report.get("says") != sentence:
        return report
    return {key: value for key, value in report.items() if key not in ("says", "verdict")}
