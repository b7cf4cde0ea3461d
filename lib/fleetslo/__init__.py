"""Reliability analytics for a fleet of services.

What a notebook writes::

    import fleetslo as fs

    fleet = fs.open_fleet()
    period = fs.Period.ending("2026-11-01", days=28)
    events = fleet.query("slo/days", period=period, services=["checkout"])

Everything heavy (Polars, DuckDB, Plotly) is imported where it is first used, so that
``import fleetslo`` stays quick.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetslo.errors import FleetsloError
    from fleetslo.fleet import Fleet, open_fleet
    from fleetslo.periods import Period

__version__ = "0.1.0"

__all__ = ["Fleet", "FleetsloError", "Period", "__version__", "open_fleet"]

_HOME = {
    "Fleet": "fleetslo.fleet",
    "FleetsloError": "fleetslo.errors",
    "Period": "fleetslo.periods",
    "open_fleet": "fleetslo.fleet",
}


def __getattr__(name: str) -> object:
    """Import a name of the public face when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'fleetslo' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Return the public face, for completion in a notebook."""
    return sorted(__all__)
