"""What the index of a site lists: the latest report of each service, reports, periods, failures."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fleetslo.charts import words
from fleetslo.reports.feeds import feed_path
from fleetslo.reports.index import (
    FailureEntry,
    OtherReport,
    PeriodEntry,
    ReportEntry,
    ServiceEntry,
    Site,
    SquadEntry,
    Stale,
    Trend,
)
from fleetslo.reports.missed import Missed
from fleetslo.reports.page import MOST_EARLIER, Page, Pages

TITLE = "Fleet reliability"


def contents(
    pages: Pages,
    services: Mapping[str, Mapping[str, Any]],
    missed: Sequence[Missed],
) -> Site:
    """Return what the index shows.

    Args:
        pages: all pages of the release.
        services: what the catalogue says of each service: ``squad``, ``tier``.
        missed: the reports that could not be made, the newest first.
    """
    wide = Counter(page.report for page in pages)
    newest_first = sorted(pages, key=lambda page: _rank(page, wide), reverse=True)
    fleet: dict[str, Page] = {}
    latest: dict[str, Page] = {}
    squads: dict[str, Page] = {}
    for page in newest_first:
        if page.service is not None:
            latest.setdefault(page.service, page)
        elif page.squad is not None:
            squads.setdefault(page.squad, page)
        else:
            fleet.setdefault(page.name, page)
    # Of a report for each region, say, no page speaks for the fleet.
    first = min(fleet.values(), key=lambda page: "/" in page.name, default=None)
    stale: dict[tuple[str | None, str | None], list[Missed]] = {}
    for one in missed:
        stale.setdefault((one.page.service, one.page.squad), []).append(one)
    failing = {service for service, _ in stale if service is not None}
    shown: Site = {
        "title": TITLE,
        "sentence": (first and first.sentence)
        or f"The latest reports of {words.plural(len(latest), 'service')}.",
        "covers": _covers(newest_first),
        "services": [
            {
                **_service(name, latest.get(name), services.get(name, {}), squads),
                **_trend(latest.get(name), pages),
                **_stale(stale.get((name, None)), latest.get(name)),
            }
            for name in sorted({*latest, *services, *failing})
        ],
        "squads": [
            {**_squad(page), **_trend(page, pages), **_stale(stale.get((None, name)), page)}
            for name, page in squads.items()
        ],
        "reports": [_report(page, missed) for page in fleet.values()],
        "others": _others(
            pages, {page.path for of in (fleet, latest, squads) for page in of.values()}
        ),
        "periods": _periods(newest_first),
        "failures": [_failure(one) for one in missed],
    }
    if first and first.verdict:
        shown["verdict"] = first.verdict
    return shown


def _rank(page: Page, wide: Mapping[str, int]) -> tuple[Any, ...]:
    """Return a key that puts the newest page last.

    Among equals, one that gives a verdict, then one of the report that has most pages: a report
    about one service alone does not stand for it where all services have another.
    """
    has = page.verdict is not None
    return (page.span.end, has, wide[page.report], page.run_id, page.path)


def _others(pages: Pages, shown: Collection[str]) -> list[OtherReport]:
    """Return the newest pages that no table and no card leads to, by report."""
    newest: dict[str, Page] = {}
    for page in pages:
        known = newest.setdefault(page.name, page)
        newest[page.name] = max(known, page, key=lambda one: (one.span.end, one.run_id))
    found: dict[str, list[Page]] = {}
    for name in sorted(newest):
        if newest[name].path not in shown:
            found.setdefault(newest[name].report, []).append(newest[name])
    return [
        {
            "report": report,
            "count": words.plural(len(group), "page"),
            "pages": [
                {"label": page.name.partition("/")[2] or page.title, "href": page.path}
                for page in group
            ],
        }
        for report, group in found.items()
    ]


def _covers(newest_first: list[Page]) -> list[str]:
    if not newest_first:
        return []
    page = newest_first[0]
    return [f"{page.span.label}, UTC", f"run {max(one.run_id for one in newest_first)}"]


def _service(
    name: str, page: Page | None, about: Mapping[str, Any], squads: Mapping[str, Page]
) -> ServiceEntry:
    head = page.headline if page else {}
    squad = head.get("squad", about.get("squad"))
    owned = squads.get(squad) if squad is not None else None
    return {
        "service": name,
        "href": page.path if page else None,
        "squad": squad,
        "squad_href": owned.path if owned else None,
        "tier": head.get("tier", about.get("tier")),
        "verdict": page.verdict if page else None,
        "budget_left": head.get("budget_left"),
        "sentence": _plain(page.sentence) if page else None,
        "period": page.span.label if page else None,
    }


def _trend(page: Page | None, pages: Pages) -> Trend:
    """Return the budget left in the reports of a series, the newest last, and that in words."""
    if page is None:
        return {}
    series = [page, *pages.earlier(page, MOST_EARLIER - 1)]
    lefts = [one.headline.get("budget_left") for one in reversed(series)]
    known = [left for left in lefts if left is not None]
    if len(known) < 2:  # one point is no trend
        return {}
    return {
        "trend": lefts,
        "trend_says": f"{words.share(known[0])} → {words.share(known[-1])}",
    }


def _stale(missed: Sequence[Missed] | None, page: Page | None) -> Stale:
    """Return what a row says that shows a page: whether its own report could not be made."""
    alike = (one for one in missed or () if page is None or one.page.report == page.report)
    found = next(alike, None)
    if found is None:
        return {}
    since = f"since {words.day(found.since)}" if found.shown_on else "not made"
    return {"stale": since, "stale_href": found.path}


def _squad(page: Page) -> SquadEntry:
    head = page.headline
    return {
        "squad": str(page.squad),
        "href": page.path,
        "feed": "Follow",
        "feed_href": feed_path(str(page.squad)),
        "verdict": page.verdict,
        "services": head.get("services"),
        "objectives": head.get("objectives"),
        "missed": head.get("missed"),
        "sli": head.get("sli"),
        "budget_left": head.get("budget_left"),
        "sentence": _plain(page.sentence),
    }


def _plain(sentence: str) -> str:
    """Return a sentence without its marks of emphasis, for a cell of a table."""
    return sentence.replace("**", "").replace("`", "")


def _report(page: Page, missed: Sequence[Missed]) -> ReportEntry:
    shown: ReportEntry = {
        "label": page.title,
        "href": page.path,
        "says": page.sentence,
        "verdict": page.verdict,
    }
    since = next((one.since for one in missed if one.shown_on == page.path), None)
    if since is not None:
        shown["stale"] = f"stale since {words.day(since)}"
    return shown


def _periods(newest_first: list[Page]) -> list[PeriodEntry]:
    grouped: dict[str, list[Page]] = {}
    for page in newest_first:
        grouped.setdefault(page.period, []).append(page)
    return [
        {
            "label": group[0].span.label,
            "href": _of_the_fleet(group),
            "report_count": len(group),
            "run": max(page.run_id for page in group),
        }
        for group in grouped.values()
    ]


def _of_the_fleet(group: Iterable[Page]) -> str | None:
    about_all = (page.path for page in group if page.service is None and page.squad is None)
    return next(about_all, None)


def _failure(missed: Missed) -> FailureEntry:
    return {
        "label": f"{missed.page.name}, {missed.page.span.label}",
        "reason": missed.reason,
        "href": missed.path,
    }
