"""What a notebook's process finds in its environment."""

import os
from collections.abc import Mapping
from typing import Any

from fleetslo.settings import Settings


def notebook_environ(settings: Settings, *, at_once: int = 1) -> dict[str, str]:
    """Return the environment of a notebook's kernel: this one, with the settings in force."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("FLEETSLO_")}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        # The project is the folder that the kernel starts in; what is not set has no variable.
        if name != "project" and value is not None:
            environ[f"FLEETSLO_{name.upper()}"] = _written(value)
    environ |= share_of_processors(at_once)
    environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # no debugger, and no warning about it
    return environ


def share_of_processors(at_once: int) -> dict[str, str]:
    """Return the variables that give each of several processes its share of the processors.

    Threads of one would only wait for those of another. What is set already stays.
    """
    name = "POLARS_MAX_THREADS"  # which DuckDB is given, too; see ``warehouse.engine.database``
    if at_once == 1 or name in os.environ:
        return {}
    return {name: str(max(1, (os.cpu_count() or 1) // at_once))}


def _written(value: Any) -> str:
    """Return a setting as a variable holds it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={of}" for name, of in value.items())
    return str(value)
