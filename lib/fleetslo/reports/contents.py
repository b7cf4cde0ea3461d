"""What the index of a site lists: the latest report of each service, reports, periods, failures."""

from collections.abc import Mapping
from typing import Any

from fleetslo.charts import words
from fleetslo.reports.index import (
    FailureEntry,
    PeriodEntry,
    ReportEntry,
    ServiceEntry,
    Site,
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
    for page in newest_first:
        if page.service is None:
            fleet.setdefault(page.name, page)
        else:
            latest.setdefault(page.service, page)
    first = next(iter(fleet.values()), None)
    shown: Site = {
        "title": TITLE,
        "sentence": (first and first.sentence)
        or f"The latest reports of {words.plural(len(latest), 'service')}.",
        "covers": _covers(newest_first),
        "services": [
            _service(name, latest.get(name), services.get(name, {}))
            for name in sorted({*latest, *services})
        ],
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


def _service(name: str, page: Page | None, about: Mapping[str, Any]) -> ServiceEntry:
    head = page.headline if page else {}
    return {
        "service": name,
        "href": page.path if page else None,
        "squad": head.get("squad", about.get("squad")),
        "tier": head.get("tier", about.get("tier")),
        "verdict": page.verdict if page else None,
        "budget_left": head.get("budget_left"),
        "sentence": _plain(page.sentence) if page else None,
        "period": page.span.label if page else None,
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
            "href": next((page.path for page in group if page.service is None), None),
            "report_count": len(group),
            "run": max(page.run_id for page in group),
        }
        for group in grouped.values()
    ]


def _failure(job: Job, result: Result) -> FailureEntry:
    return {
        "label": job.page,
        "reason": result.says,
        "href": None,
    }
