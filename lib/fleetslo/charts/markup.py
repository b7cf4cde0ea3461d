"""Payloads of blocks turned into escaped HTML."""

from html import escape
from typing import Any


def lab(payload: dict[str, Any]) -> str:
    """Return a block as HTML for an output of JupyterLab."""
    title = payload.get("title") or payload.get("name") or payload.get("sentence") or ""
    return f"<h3>{escape(str(title))}</h3><p>{escape(str(payload.get('says') or ''))}</p>"


def lab_chart(payload: dict[str, Any]) -> tuple[str, str]:
    """Return what stands before and after a figure in JupyterLab."""
    return lab(payload), ""
