"""The files that all pages share: style, script and plotly.js, named by their content.

A page of last month and one of today may stand beside each other after an upgrade: a file's name
carries a hash of what is in it, so neither is given the other's script.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fleetslo.errors import OutputError

SCRIPTS = ("tables.js", "charts.js", "page.js")
"""Parts of the site's script, in the order in which they are joined."""


@dataclass(frozen=True)
class Assets:
    """Names of the shared files inside their folder."""

    style: str
    script: str
    plotly: str


def text(name: str) -> str:
    """Return a file of the packaged assets as text."""
    return files("fleetslo.reports").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def contents() -> Mapping[str, str]:
    """Return the text of each shared file by its name: ``style``, ``script``, ``plotly``."""
    from plotly.offline import get_plotlyjs

    from fleetslo.charts import theme

    look = {
        "template": theme.template().to_plotly_json(),
        "colours": theme.COLOURS,
        "config": theme.CONFIG,
    }
    parts = "\n".join(text(name) for name in SCRIPTS)
    return {
        "style": text("style.css"),
        "script": f"(() => {{\n'use strict';\nconst LOOK = {json.dumps(look)};\n{parts}\n}})();\n",
        "plotly": get_plotlyjs(),
    }


@cache
def names() -> Assets:
    """Return the names of the shared files, each with the hash of its content."""
    endings = {"style": "css", "script": "js", "plotly": "js"}
    hashed = {
        name: f"{'site' if name == 'script' else name}-{digest(content)}.{endings[name]}"
        for name, content in contents().items()
    }
    return Assets(**hashed)


def digest(content: str) -> str:
    """Return ten hexadecimal digits that stand for a content."""
    return hashlib.sha256(content.encode()).hexdigest()[:10]


def write_assets(folder: Path) -> Assets:
    """Write the shared files into a folder, those not there yet, and return their names.

    Raises:
        OutputError: the folder cannot be written to.
    """
    named = names()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, content in contents().items():
            path = folder / getattr(named, kind)
            if not path.exists():
                part = path.with_suffix(".part")
                part.write_text(content, encoding="utf-8")
                part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to ({error.strerror}); choose another folder"
        ) from error
    return named
