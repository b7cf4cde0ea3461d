"""Blocks as outputs of JupyterLab: the same HTML as on the site, with a small style of its own."""

from html import escape
from typing import Any


def block(payload: dict[str, Any]) -> str:
    """Return a block as HTML for an output of JupyterLab."""
    title = payload.get("title") or payload.get("name") or payload.get("sentence") or ""
    return f"<h3>{escape(str(title))}</h3><p>{escape(str(payload.get('says') or ''))}</p>"


def chart(payload: dict[str, Any]) -> tuple[str, str]:
    """Return what stands before and after a figure in JupyterLab."""
    return block(payload), ""
