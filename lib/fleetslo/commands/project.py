"""``fleetslo init``, ``settings`` and ``doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import say, table


def init(
    folder: Annotated[Path, typer.Argument(help="where to make it; made if it does not exist")],
) -> None:
    """Make a project folder whose notebooks, queries and objectives lie over the packaged ones."""
    from fleetslo.project import make_project

    for path in make_project(folder):
        say(f"made {path}")
    say(f"cd {folder} && fleetslo doctor")


def settings() -> None:
    """Show every setting, its value and where it came from."""
    from fleetslo.settings import Settings, load_settings

    loaded = load_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(loaded.settings, name)
        rows.append((name, value, loaded.origins[name], field.description))
    table(["setting", "value", "from", "what it is"], rows)


def doctor() -> None:
    """Say what is missing or wrong with the set-up, and what to do about it."""
    from fleetslo.doctor import examine
    from fleetslo.errors import SettingsError

    marks = {"ok": "ok", "warn": "look", "fail": "FAIL"}
    faults = 0
    for finding in examine():
        faults += finding.state == "fail"
        say(f"{marks[finding.state]:<5}{finding.what}: {finding.says}")
        if finding.remedy:
            say(f"     → {finding.remedy}")
    if faults:
        things = "1 thing has" if faults == 1 else f"{faults} things have"
        raise SettingsError(f"{things} to be mended before reports can run")


def register(app: typer.Typer) -> None:
    """Add the commands to the tool."""
    app.command()(init)
    app.command()(settings)
    app.command()(doctor)
