"""What a notebook's process finds in its environment."""

import os
from collections.abc import Mapping
from typing import Any

from fleetslo.settings import Settings


def notebook_environ(settings: Settings) -> dict[str, str]:
    """Return the environment of a notebook's kernel: this one, with the settings in force."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("FLEETSLO_")}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        # The project is the folder that the kernel starts in; what is not set has no variable.
        if name != "project" and value is not None:
            environ[f"FLEETSLO_{name.upper()}"] = _written(value)
    environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # no debugger, and no warning about it
    return environ


def _written(value: Any) -> str:
    """Return a setting as a variable holds it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={of}" for name, of in value.items())
    return str(value)
