"""The cell that gives a notebook its parameters, as papermill injects it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from papermill.translators import PythonTranslator

from fleetslo.reports.engine.secrets import Reference


class Python(PythonTranslator):  # type: ignore[misc]
    """papermill's Python, made able to pass a date and a secret."""

    @classmethod
    def translate(cls, val: Any) -> str:
        """Return the expression that makes a value."""
        if isinstance(val, date):
            return f"datetime.date({val.year}, {val.month}, {val.day})"
        if isinstance(val, Reference):
            return f'os.environ["{val.variable}"]'
        return str(super().translate(val))

    @classmethod
    def codify(cls, parameters: Mapping[str, Any], comment: str = "Parameters") -> str:
        """Return the source of the cell that sets the parameters."""
        needed = [
            f"import {module}\n"
            for module, kind in (("datetime", date), ("os", Reference))
            if any(isinstance(value, kind) for value in parameters.values())
        ]
        code = str(super().codify(parameters, comment))
        return "".join([*needed, "\n", code]) if needed else code


def stored(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as a notebook's metadata can hold them."""
    return {
        name: value.isoformat()
        if isinstance(value, date)
        else str(value)
        if isinstance(value, Reference)
        else value
        for name, value in parameters.items()
    }


def is_injected(cell: Any) -> bool:
    """Return whether a cell is the one that sets the parameters of a run."""
    return "injected-parameters" in cell.metadata.get("tags", [])
