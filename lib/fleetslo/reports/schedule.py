"""The schedule: which report is made when, for whom and over what period."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fleetslo.errors import (
    FleetsloError,
    NotebookError,
    SettingsError,
    UnknownNotebook,
    UsageError,
    WarehouseError,
    nearest,
)
from fleetslo.periods import Period, instant
from fleetslo.reports.jobs import Job
from fleetslo.reports.notebooks import check_parameters, describe, find_notebook
from fleetslo.reports.scheduling.entries import ADVICE, Entry
from fleetslo.reports.scheduling.timing import EVERY
from fleetslo.reports.slugs import page_path
from fleetslo.resources import find

_KEYS = [name for name in Entry.model_fields if name != "source"]


def read_schedule(path: Path | None = None) -> list[Entry]:
    """Return the entries of ``notebooks/schedule.yaml``, the project's before the packaged one.

    Raises:
        SettingsError: the file is missing or wrong; the message names line, entry, key and value.
    """
    path = path or find("notebooks", "schedule.yaml")
    if path is None or not path.is_file():
        raise SettingsError(f"there is no schedule at {path or 'notebooks/schedule.yaml'}")
    try:
        text = path.read_text(encoding="utf-8")
        stored = yaml.safe_load(text)
        places = _places(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from None
    reports = stored.get("reports") if isinstance(stored, dict) else None
    if not isinstance(reports, list) or not reports:
        raise SettingsError(f"{path}: write 'reports:' and a list of reports under it")
    entries = [
        _entry(path, place, number, row)
        for number, (row, place) in enumerate(zip(reports, places, strict=True), start=1)
    ]
    by_name: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in by_name:
            raise SettingsError(
                f"{entry.source}: the name {entry.name!r} is another report's already; "
                "give one of them a 'name:' of its own"
            )
        by_name[entry.name] = entry
    return entries


@dataclass(frozen=True)
class _Place:
    """Where a report stands in the file: its first line, and the line of each of its keys."""

    line: int
    keys: Mapping[str, int] = field(default_factory=dict)


def _places(text: str) -> list[_Place]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    rows = [
        value
        for key, value in (root.value if isinstance(root, yaml.MappingNode) else [])
        if key.value == "reports"
    ]
    if not rows or not isinstance(rows[-1], yaml.SequenceNode):
        return []
    return [
        _Place(
            node.start_mark.line + 1,
            {key.value: key.start_mark.line + 1 for key, _ in node.value}
            if isinstance(node, yaml.MappingNode)
            else {},
        )
        for node in rows[-1].value
    ]


def _entry(path: Path, place: _Place, number: int, row: Any) -> Entry:
    def where(key: str = "") -> str:
        return f"{path}: line {place.keys.get(key, place.line)}: report {number}"

    if not isinstance(row, dict) or not isinstance(row.get("notebook"), str):
        raise SettingsError(f"{where()}: it names no notebook; {ADVICE['notebook']}")
    called = f"({row['notebook']})"
    for key in row:
        if key not in _KEYS:
            close = nearest(str(key), _KEYS) or f" Keys are {', '.join(_KEYS)}"
            raise SettingsError(f"{where(str(key))} {called}: there is no key {key!r}.{close}")
    try:
        return Entry(**row, source=f"{where()} {called}")
    except ValidationError as error:
        found = error.errors(include_url=False)
    # A name that follows from a wrong page is wrong, too; what was written comes first.
    first = next((one for one in found if one["loc"] and one["loc"][0] in row), found[0])
    key = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "value_error" and not key:
        key = next((one for one in ("cron", "zone") if one in row), "")
        raise SettingsError(f"{where(key)} {called}: {first['ctx']['error']}")
    raise SettingsError(f"{where(key)} {called}: {key!r} is {row.get(key)!r}; {ADVICE[key]}")


def plan_jobs(
    entries: Iterable[Entry],
    *,
    as_of: str | date | datetime,
    subjects: Callable[[Entry], Sequence[str]],
    every: str | None = None,
    only: Sequence[str] = (),
) -> list[Job]:
    """Return the jobs that a schedule asks for, one per page; those of higher priority first.

    Each report gets its parameters, ``period`` and ``as_of``, and, where it is made for each of
    something, that; all are checked here, before anything runs.

    Args:
        entries: the schedule.
        as_of: the end of periods such as ``28d``.
        subjects: for whom an entry is made; asked of entries with ``for_each`` that are kept.
        every: keeps only the reports written with that rhythm.
        only: keeps those of these names; else of these notebooks (``reports/service_slo``) or
            pages (``service_slo/checkout``).

    Raises:
        UsageError: there is no such rhythm.
        SettingsError: two entries would publish the same page.
        UnknownNotebook: ``only`` names nothing that the schedule makes.
        FleetsloError: an unknown notebook or parameter, a wrong value, an unreadable period.
    """
    end = instant(as_of)
    whole_day = end == instant(end.date())
    as_of_text = end.date().isoformat() if whole_day else end.strftime("%Y-%m-%dT%H:%M:%SZ")
    jobs: dict[str, Job] = {}
    kept = choose(entries, every=every, only=only)
    for entry in sorted(kept, key=lambda entry: -entry.priority):
        try:
            planned = _jobs_of(entry, as_of_text, subjects)
        except WarehouseError:  # it is not the schedule's fault
            raise
        except FleetsloError as error:
            raise type(error)(f"{entry.source}: {error}" if entry.source else str(error)) from None
        for job in planned:
            if job.path in jobs:
                raise SettingsError(
                    f"{entry.source}: the page {job.page} is made by another report already; "
                    "give one of them a 'page:' of its own"
                )
            jobs[job.path] = job
    return keep_named(list(jobs.values()), only)


def choose(
    entries: Iterable[Entry], *, every: str | None = None, only: Sequence[str] = ()
) -> list[Entry]:
    """Return the entries that ``every`` and ``only`` keep; see ``plan_jobs``.

    Raises:
        UsageError: there is no such rhythm.
        UnknownNotebook: ``only`` names nothing that the schedule makes.
    """
    if every is not None and every not in EVERY:
        raise UsageError(f"reports are not made every {every!r}; write one of {', '.join(EVERY)}")
    kept = [entry for entry in entries if every is None or entry.every == every]
    if not only:
        return kept
    names = {entry.name for entry in kept}
    chosen: set[str] = set()
    for name in only:
        same = [entry.name for entry in kept if entry.name == name] or [
            entry.name
            for entry in kept
            if name in {entry.page, find_notebook(entry.notebook).name}
            or (entry.subject and name.startswith(f"{entry.page}/"))
        ]
        if not same:
            raise _unknown(name, names, names)
        chosen.update(same)
    return [entry for entry in kept if entry.name in chosen]


def _unknown(name: str, near: Iterable[str], made: Iterable[str]) -> UnknownNotebook:
    return UnknownNotebook(
        f"the schedule makes no report {name!r}.{nearest(name, sorted(near))} "
        f"It makes: {', '.join(sorted(made)) or 'none'}"
    )


def keep_named(jobs: list[Job], only: Sequence[str]) -> list[Job]:
    """Return the jobs that ``only`` names: all of an entry, or some pages; empty keeps all.

    Raises:
        UnknownNotebook: there is no such page of a report.
    """
    if not only:
        return jobs
    kept: set[str] = set()
    for name in only:
        same = {job.path for job in jobs if job.entry == name} or {
            job.path for job in jobs if name in {job.page, job.report, job.notebook}
        }
        if not same and name.partition("/")[0] in {job.report for job in jobs}:
            raise _unknown(name, {job.page for job in jobs}, {job.entry for job in jobs})
        kept |= same
    return [job for job in jobs if job.path in kept]


def _about(what: str, entry: Entry, subject: str | None) -> str | None:
    """Return the service or squad that a page is about, be it one of many or written down."""
    if entry.subject == what:
        return subject
    written = entry.parameters.get(what)
    return written if isinstance(written, str) else None


_EXAMPLES = {"service": "checkout", "squad": "Payments", "system": "shop", "region": "europe"}


def _jobs_of(entry: Entry, as_of: str, subjects: Callable[[Entry], Sequence[str]]) -> list[Job]:
    notebook = find_notebook(entry.notebook)
    period = Period.parse(entry.period, as_of=as_of)
    declared = {parameter.name for parameter in describe(notebook)}
    common: dict[str, object] = {"period": entry.period, "as_of": as_of, **entry.parameters}
    each = entry.subject
    if each is not None and each not in declared:
        raise NotebookError(
            f"{notebook.name} is made for each {each} and has no parameter {each!r}; "
            f'add {each}: str = "{_EXAMPLES.get(each, "a")}" to its parameters cell'
        )
    checked = check_parameters(notebook, common)
    named: Sequence[str | None] = [None] if each is None else list(dict.fromkeys(subjects(entry)))
    jobs = []
    for subject in named:
        page = entry.page if subject is None else f"{entry.page}/{subject}"
        mine = {} if each is None else check_parameters(notebook, {each: subject})
        jobs.append(
            Job(
                notebook=notebook.name,
                source=notebook.path,
                page=page,
                path=page_path(page, period.slug),
                report=entry.page,
                service=_about("service", entry, subject),
                squad=_about("squad", entry, subject),
                period=str(period),
                as_of=as_of,
                parameters={**checked, **mine},
                entry=entry.name,
                time_limit_s=entry.time_limit,
            )
        )
    return jobs
