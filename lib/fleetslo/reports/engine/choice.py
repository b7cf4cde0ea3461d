"""What the settings say of running notebooks: on which engine, within which limits."""

import sys
from typing import Literal

from fleetslo.errors import SettingsError
from fleetslo.reports.engine.limits import Limits
from fleetslo.settings import Settings


def engine_of(settings: Settings) -> Literal["fork", "kernel"]:
    """Return the engine to use: "auto" forks where a process with our libraries can be forked.

    Linux can. macOS has ``fork``, and system libraries that break in the child.

    Raises:
        SettingsError: forking is asked for where it is not to be had.
    """
    can_fork = sys.platform.startswith("linux")
    if settings.engine == "fork" and not can_fork:
        raise SettingsError("setting 'engine' is 'fork', which needs Linux; use 'auto'")
    if settings.engine == "auto":
        return "fork" if can_fork else "kernel"
    return settings.engine


def limits_of(settings: Settings, time_limit_s: float | None = None) -> Limits:
    """Return the limits of one notebook; it may have a time limit of its own."""
    return Limits(
        settings.notebook_timeout_s if time_limit_s is None else time_limit_s,
        settings.cell_timeout_s,
        settings.notebook_memory_mib * 2**20,
    )
