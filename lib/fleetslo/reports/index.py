"""The index of a site: every squad's and service's latest report, found by name or squad.

The rows of a large fleet lie in a script beside the page, since a page that is opened from the
file system cannot fetch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from fleetslo.charts import markup, words
from fleetslo.charts.blocks import Col, Table
from fleetslo.charts.tables import sorted_rows

GLOBAL = "fleetsloIndex"
"""What the script beside the page sets on the window."""


class ServiceEntry(TypedDict):
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


class SquadEntry(TypedDict):
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


class ReportEntry(TypedDict):
    """A report about the fleet as a whole; ``says`` is its verdict in a sentence."""

    label: str
    href: str
    says: NotRequired[str]
    verdict: NotRequired[str | None]


class PeriodEntry(TypedDict):
    """A period that was reported: its label, its own overview, how many reports it has."""

    label: str
    href: str | None
    report_count: int
    run: NotRequired[str | None]


class FailureEntry(TypedDict):
    """A report that failed: what it was to be, why it failed, its own page."""

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
    periods: NotRequired[Sequence[PeriodEntry]]
    failures: NotRequired[Sequence[FailureEntry]]


_COLUMNS = (
    Col("service", "Service", "link", page="href"),
    Col("squad", "Squad", "link", page="squad_href", priority=2),
    Col("tier", "Tier", "number", priority=3),
    Col("verdict", "Verdict", "verdict"),
    Col("budget_left", "Budget left", "bar", priority=2, verdict="verdict"),
    Col("sentence", "In a sentence", priority=3),
)
_ALWAYS = ("service", "verdict")


def services_table(site: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of the table of services; columns that nobody fills are left out."""
    keys = (*[column.key for column in _COLUMNS], "href", "squad_href")
    rows = [{key: one.get(key) for key in keys} for one in site["services"]]
    rows = [dict(row) for row in sorted_rows(rows, "budget_left", downwards=False)]
    shown = [
        column
        for column in _COLUMNS
        if column.key in _ALWAYS or any(row[column.key] is not None for row in rows)
    ]
    has = {column.key for column in shown}
    table = Table(
        title=words.plural(len(rows), "service"),
        says="Each opens its latest report.",
        columns=shown,
        rows=rows,
        search=True,
        filters=[key for key in ("squad", "tier", "verdict") if key in has],
        sort=("verdict", False),
        empty="No service has been reported yet. Run `fleetslo run` to make the first reports.",
    )
    return {**table.payload(), "source": GLOBAL}


_SQUADS = (
    Col("squad", "Squad", "link", page="href"),
    Col("verdict", "Verdict", "verdict"),
    Col("services", "Services", "number", priority=3),
    Col("objectives", "Objectives", "number", priority=2),
    Col("missed", "Missed", "number"),
    Col("sli", "Combined SLI", "percent", priority=2),
    Col("budget_left", "Combined budget left", "bar", priority=2),
    Col("sentence", "In a sentence", priority=3),
)
# A handful of squads is read at a glance; more of them are looked for.
_FEW = 8


def squads_table(site: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the payload of the table of squads, or None where no squad has a report."""
    rows = [{column.key: one.get(column.key) for column in _SQUADS} | {"href": one["href"]}
            for one in site.get("squads", ())]  # fmt: skip
    if not rows:
        return None
    rows = [dict(row) for row in sorted_rows(rows, "budget_left", downwards=False)]
    many = len(rows) > _FEW
    return Table(
        title=words.plural(len(rows), "squad"),
        says="Each opens its latest report.",
        columns=_SQUADS,
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
        "periods": site.get("periods", ()),
        "failures": site.get("failures", ()),
        "data": data if many else None,
    }


def _unlike(report: Mapping[str, Any], sentence: str) -> Mapping[str, Any]:
    """Return a report without its sentence where the page has just said the same."""
    if report.get("says") != sentence:
        return report
    return {key: value for key, value in report.items() if key not in ("says", "verdict")}
