"""The schedule: which report is made how often, for whom and over what period."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from fleetslo.errors import (
    FleetsloError,
    NotebookError,
    SettingsError,
    UnknownNotebook,
    UsageError,
    nearest,
)
from fleetslo.periods import Period, instant
from fleetslo.reports.jobs import Job
from fleetslo.reports.notebooks import check_parameters, describe, find_notebook
from fleetslo.reports.slugs import page_path
from fleetslo.resources import find

EVERY = ("day", "week", "month")
FOR_EACH = ("service", "squad")
_KEYS = ("notebook", "every", "for_each", "period", "page", "parameters")


@dataclass(frozen=True)
class Entry:
    """One report of the schedule. ``page`` is the first part of its pages' names."""

    notebook: str
    every: str
    for_each: str | None
    period: str
    page: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    source: str = ""


def read_schedule(path: Path | None = None) -> list[Entry]:
    """Return the entries of ``notebooks/schedule.yaml``, the project's before the packaged one.

    Raises:
        SettingsError: the file is missing or wrong; the message names entry, key and value.
    """
    path = path or find("notebooks", "schedule.yaml")
    if path is None or not path.is_file():
        raise SettingsError(f"there is no schedule at {path or 'notebooks/schedule.yaml'}")
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from None
    reports = stored.get("reports") if isinstance(stored, dict) else None
    if not isinstance(reports, list) or not reports:
        raise SettingsError(f"{path}: write 'reports:' and a list of reports under it")
    return [_entry(f"{path}: report {n}", row) for n, row in enumerate(reports, start=1)]


def _entry(where: str, row: Any) -> Entry:
    if not isinstance(row, dict) or not isinstance(row.get("notebook"), str):
        raise SettingsError(f"{where}: it names no notebook; write 'notebook: reports/service_slo'")
    where = f"{where} ({row['notebook']})"
    for key in row:
        if key not in _KEYS:
            raise SettingsError(
                f"{where}: there is no key {key!r}.{nearest(str(key), list(_KEYS))}"
            )
    every, for_each = row.get("every", "week"), row.get("for_each")
    if every not in EVERY:
        raise SettingsError(f"{where}: 'every' is {every!r}; write one of {', '.join(EVERY)}")
    if for_each is not None and for_each not in FOR_EACH:
        raise SettingsError(
            f"{where}: 'for_each' is {for_each!r}; write {' or '.join(FOR_EACH)}, or leave it out"
        )
    parameters = row.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise SettingsError(f"{where}: 'parameters' is {parameters!r}; write name: value under it")
    page = row.get("page", row["notebook"].rpartition("/")[2])
    if not isinstance(page, str) or not page or "/" in page:
        raise SettingsError(f"{where}: 'page' is {page!r}; write one word, such as service_slo")
    period = str(row.get("period", "28d"))
    return Entry(row["notebook"], every, for_each, period, page, parameters, where)


def plan_jobs(
    entries: Iterable[Entry],
    *,
    as_of: str | date | datetime,
    services: Sequence[str],
    squads: Mapping[str, Sequence[str]] = MappingProxyType({}),
    every: str | None = None,
    only: Sequence[str] = (),
) -> list[Job]:
    """Return the jobs that a schedule asks for, in its order; one per page.

    Each report gets its parameters, ``period`` and ``as_of``, and, where it is made for each
    service or squad, ``service`` or ``squad``; all are checked here, before anything runs.

    Args:
        entries: the schedule.
        as_of: the end of periods such as ``28d``.
        services: those that get a page.
        squads: those that get a page, by the period as an entry writes it: a squad may have owned
            nothing in a shorter one.
        every: keeps only the reports of that rhythm.
        only: keeps those of these notebooks (``service_slo``, ``reports/service_slo``) or pages
            (``service_slo/checkout``).

    Raises:
        UsageError: there is no such rhythm.
        SettingsError: two entries would publish the same page.
        UnknownNotebook: ``only`` names nothing that the schedule makes.
        FleetsloError: an unknown notebook or parameter, a wrong value, an unreadable period.
    """
    if every is not None and every not in EVERY:
        raise UsageError(f"reports are not made every {every!r}; write one of {', '.join(EVERY)}")
    end = instant(as_of)
    whole_day = end == instant(end.date())
    as_of_text = end.date().isoformat() if whole_day else end.strftime("%Y-%m-%dT%H:%M:%SZ")
    jobs: dict[str, Job] = {}
    for entry in entries:
        if every is not None and entry.every != every:
            continue
        try:
            named = {"service": services, "squad": squads.get(entry.period, ())}
            planned = _jobs_of(entry, as_of_text, named)
        except FleetsloError as error:
            raise type(error)(f"{entry.source}: {error}" if entry.source else str(error)) from None
        for job in planned:
            if job.path in jobs:
                raise SettingsError(
                    f"{entry.source}: the page {job.page} is made by another report already; "
                    "give one of them a 'page:' of its own"
                )
            jobs[job.path] = job
    return _chosen(list(jobs.values()), only)


def _chosen(jobs: list[Job], only: Sequence[str]) -> list[Job]:
    if not only:
        return jobs
    names = {job.path: {job.page, job.report, job.notebook} for job in jobs}
    known = sorted(set().union(*names.values()))
    for name in only:
        if name not in known:
            raise UnknownNotebook(
                f"the schedule makes no report {name!r}.{nearest(name, known)} "
                f"It makes: {', '.join(sorted({job.report for job in jobs})) or 'none'}"
            )
    return [job for job in jobs if names[job.path] & set(only)]


_EXAMPLES = {"service": "checkout", "squad": "Payments"}


def _jobs_of(entry: Entry, as_of: str, named: Mapping[str, Sequence[str]]) -> list[Job]:
    notebook = find_notebook(entry.notebook)
    period = Period.parse(entry.period, as_of=as_of)
    declared = {parameter.name for parameter in describe(notebook)}
    common: dict[str, object] = {"period": entry.period, "as_of": as_of, **entry.parameters}
    each = entry.for_each
    if each is not None and each not in declared:
        raise NotebookError(
            f"{notebook.name} is made for each {each} and has no parameter {each!r}; "
            f'add {each}: str = "{_EXAMPLES[each]}" to its parameters cell'
        )
    subjects: Sequence[str | None] = [None] if each is None else list(dict.fromkeys(named[each]))
    checked = check_parameters(notebook, common)
    jobs = []
    for subject in subjects:
        page = entry.page if subject is None else f"{entry.page}/{subject}"
        jobs.append(
            Job(
                notebook=notebook.name,
                source=notebook.path,
                page=page,
                path=page_path(page, period.slug),
                report=entry.page,
                service=subject if each == "service" else None,
                squad=subject if each == "squad" else None,
                period=str(period),
                as_of=as_of,
                parameters=checked if each is None else {**checked, each: subject},
            )
        )
    return jobs
