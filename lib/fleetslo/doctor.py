"""What is missing or wrong with the set-up, and what to do about it."""

import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fleetslo import resources
from fleetslo.errors import FleetsloError
from fleetslo.settings import Settings, load_settings

_OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``warn`` or ``fail``, and the remedy."""

    state: Literal["ok", "warn", "fail"]
    what: str
    says: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Yield a finding for everything that a report needs, in the order it is needed."""
    yield _python()
    yield _packages()
    try:
        settings = load_settings().settings
    except FleetsloError as error:
        yield Finding("fail", "settings", str(error), "mend it; 'fleetslo settings' shows the rest")
        return
    yield _project(settings)
    yield _home(settings.home)
    yield from _warehouse(settings)
    yield _guarded("objectives", _objectives)
    yield _guarded("notebooks", _notebooks)
    yield _guarded("schedule", _schedule)
    yield from _secrets_of_recipients()


def _guarded(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, look())
    except FleetsloError as error:
        return Finding("fail", what, str(error), "mend the file that the message names")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("fail", "python", version, "use Python 3.11 or newer")
    return Finding("ok", "python", f"{version}, {sys.executable}")


def _packages() -> Finding:
    missing = []
    for requirement in importlib.metadata.requires("fleetslo") or []:
        name = re.split(r"[<>=!~;\s\[]", requirement, maxsplit=1)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("fail", "packages", f"missing: {', '.join(missing)}", "pip install fleetslo")
    return Finding("ok", "packages", "everything that fleetslo requires is installed")


def _project(settings: Settings) -> Finding:
    if (settings.project / resources.PROJECT_FILE).is_file():
        return Finding("ok", "project", str(settings.project))
    return Finding(
        "warn",
        "project",
        f"{settings.project} has no {resources.PROJECT_FILE}; defaults are in force",
        "fleetslo init FOLDER makes a project of your own",
    )


def _home(home: Path) -> Finding:
    existing = next(path for path in (home, *home.absolute().parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return Finding("ok", "home", f"{home} can be written to")
    return Finding(
        "fail", "home", f"{home} cannot be written to", "set FLEETSLO_HOME to a folder that can"
    )


def _warehouse(settings: Settings) -> Iterator[Finding]:
    from fleetslo.fleet import open_fleet

    try:
        fleet = open_fleet(settings.warehouse)
        until, last_day = fleet.complete_until, fleet.last_day
    except FleetsloError as error:
        yield Finding("fail", "warehouse", str(error), _remedy(settings.warehouse))
        return
    yield Finding("ok", "warehouse", f"{settings.warehouse}, data to {until:%Y-%m-%d %H:%M} UTC")
    if late := fleet.warehouse.pending():
        text = f"{max(late.values())} days changed since the last one"
        yield Finding("warn", "rollup", text, "fleetslo warehouse rollup")
    try:
        period = fleet.period("28d", last_day)
        services, judged = fleet.services(period), fleet.judgements(period)
    except FleetsloError as error:
        yield Finding("fail", "data", str(error), "fleetslo warehouse check")
        return
    if services.is_empty():
        yield Finding("warn", "services", "the catalogue is empty", "load the table 'services'")
        return
    bare = services.height - judged["service"].n_unique()
    text = f"{services.height:,} services, {judged.height:,} objectives"
    if bare:
        yield Finding(
            "warn", "services", f"{text}; {bare:,} have no objective", "queries/objectives/"
        )
    else:
        yield Finding("ok", "services", text)
    yield from _strangers(fleet.settings.project, services["service"].to_list())
    yield from _unknown_squads(services["squad"].drop_nulls().unique().to_list())
    if judged.height and not judged["valid_count"].sum():
        yield Finding(
            "warn", "slo_minutes", "no objective has been counted", "fleetslo warehouse rollup"
        )


def _remedy(url: str) -> str:
    if url.startswith("duckdb:"):
        return "'fleetslo warehouse create' makes one, 'fleetslo demo' one to try things on"
    return "mend the setting 'warehouse', or what the message names"


def _strangers(project: Path, services: list[str]) -> Iterator[Finding]:
    """Yield a warning for each of the project's own objectives whose service nobody knows."""
    from fleetslo.errors import nearest
    from fleetslo.measuring import objectives_in_force

    for objective in objectives_in_force():
        ours = objective.source.startswith(str(project / "queries"))
        if ours and objective.for_condition is None and objective.service not in services:
            yield Finding(
                "warn",
                "objectives",
                f"{objective.source}: no service {objective.service!r} in the last 28 days."
                f"{nearest(objective.service, services)}",
                "mend the name, or load the service's data",
            )


def _unknown_squads(squads: list[str]) -> Iterator[Finding]:
    """Yield a warning for each recipient of a squad that owns no service."""
    from fleetslo.errors import nearest
    from fleetslo.reports.telling.recipients import read_recipients

    with suppress(FleetsloError):  # what is wrong with the file is a finding of its own
        told = read_recipients()
        for name, one in told.recipients.items() if told else ():
            if one.squad is not None and one.squad not in squads:
                text = f"{name}: no squad {one.squad!r} owns a service.{nearest(one.squad, squads)}"
                yield Finding("warn", "recipients", text, "mend notebooks/recipients.yaml")


def _secrets_of_recipients() -> Iterator[Finding]:
    """Yield a finding about the file of recipients; none where the project has no such file."""
    from fleetslo.reports.telling.recipients import read_recipients, resolved

    try:
        told = read_recipients()
    except FleetsloError as error:
        yield Finding("fail", "recipients", str(error), "mend the file that the message names")
        return
    if told is None:
        return
    yield Finding("ok", "recipients", f"{len(told.recipients)} in notebooks/recipients.yaml")
    secrets = [one.webhook for one in told.recipients.values()]
    secrets += [told.smtp.password] if told.smtp else []
    for secret in dict.fromkeys(one for one in secrets if one is not None):
        try:
            resolved(secret)
        except FleetsloError as error:
            yield Finding("warn", "recipients", str(error), "set it where runs tell people")


def _schedule() -> str:
    from fleetslo.reports.schedule import read_schedule
    from fleetslo.reports.telling.recipients import read_recipients

    entries = read_schedule()
    if (told := read_recipients()) is not None:
        told.check({entry.name: entry.tell for entry in entries})
    return f"{len(entries)} in notebooks/schedule.yaml: {', '.join(one.name for one in entries)}"


def _objectives() -> str:
    from fleetslo.measuring import objectives_in_force

    return f"{len(objectives_in_force())} documents, all valid"


def _notebooks() -> str:
    from fleetslo.reports.notebooks import describe, list_notebooks

    notebooks = list_notebooks()
    for notebook in notebooks:
        describe(notebook)
    names = [notebook.short for notebook in notebooks]
    return f"{len(names)} notebooks: {', '.join(names)}"
