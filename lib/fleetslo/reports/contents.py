"""What the index of a site lists: the latest report of each service, reports, periods, failures."""

from collections.abc import Iterable, Mapping
from typing import Any

from fleetslo.charts import words
from fleetslo.reports.index import (
    FailureEntry,
    PeriodEntry,
    ReportEntry,
    ServiceEntry,
    Site,
    SquadEntry,
)
from fleetslo.reports.jobs import Job, Result
from fleetslo.reports.page import Page, Pages

TITLE = "Fleet reliability"


def contents(
    pages: Pages,
    services: Mapping[str, Mapping[str, Any]],
    failed: Mapping[str, tuple[Job, Result]],
) -> Site:
    """Return what the index shows.

    Args:
        pages: all pages of the release.
        services: what the catalogue says of each service: ``squad``, ``tier``.
        failed: the jobs of this run that came to no page, by path.
    """
    newest_first = sorted(pages, key=_rank, reverse=True)
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
    first = next(iter(fleet.values()), None)
    shown: Site = {
        "title": TITLE,
        "sentence": (first and first.sentence)
        or f"The latest reports of {words.plural(len(latest), 'service')}.",
        "covers": _covers(newest_first),
        "services": [
            _service(name, latest.get(name), services.get(name, {}), squads)
            for name in sorted({*latest, *services})
        ],
        "squads": [_squad(page) for page in squads.values()],
        "reports": [_report(page) for page in fleet.values()],
        "periods": _periods(newest_first),
        "failures": [_failure(job, result) for job, result in failed.values()],
    }
    if first and first.verdict:
        shown["verdict"] = first.verdict
    return shown


def _rank(page: Page) -> tuple[Any, ...]:
    """Return a key that puts the newest page last; among equals, one that gives a verdict."""
    return (page.span.end, page.verdict is not None, page.run_id, page.path)


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


def _squad(page: Page) -> SquadEntry:
    head = page.headline
    return {
        "squad": str(page.squad),
        "href": page.path,
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


def _report(page: Page) -> ReportEntry:
    return {
        "label": page.title,
        "href": page.path,
        "says": page.sentence,
        "verdict": page.verdict,
    }


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


def _failure(job: Job, result: Result) -> FailureEntry:
    return {
        "label": job.page,
        "reason": result.says,
        "href": None,
    }
