"""Notebooks by name, and the typed parameters that each one declares. Nothing is executed."""

import ast
import io
import json
import math
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from fleetslo.errors import (
    NotebookError,
    ParameterError,
    UnknownNotebook,
    UnknownParameter,
    nearest,
)
from fleetslo.resources import find, listing

Value = str | int | float | bool | list[str] | date | None

# What a parameter may be, and how a person writes such a value.
TYPES = {
    "str": "text",
    "int": "a whole number, such as 7",
    "float": "a number, such as 0.5",
    "bool": "true or false",
    "list[str]": "texts with commas between them, such as a,b",
    "date": "a day, such as 2026-11-01",
}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell. ``type`` is a key of TYPES, or that `` | None``."""

    name: str
    type: str
    default: Value
    help: str


@dataclass(frozen=True)
class Notebook:
    """A notebook file. ``name`` is its place under ``notebooks/``, without the suffix."""

    name: str
    path: Path

    @property
    def short(self) -> str:
        """The last part of the name: ``service_slo``."""
        return self.name.rpartition("/")[2]

    @cached_property
    def _stored(self) -> dict[str, Any]:
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            cells = stored["cells"] if stored["nbformat"] == 4 else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotebookError(f"{self.path}: not a notebook: {error}") from None
        if not isinstance(cells, list):
            raise NotebookError(f"{self.path}: not a notebook of format 4; save it in JupyterLab")
        return dict(stored)

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells as they are stored.

        Raises:
            NotebookError: the file is not a notebook of format 4.
        """
        return list(self._stored["cells"])

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says of the notebook as a whole.

        Raises:
            NotebookError: the file is not a notebook of format 4.
        """
        return dict(self._stored.get("metadata") or {})

    @cached_property
    def title(self) -> str:
        """The heading of the first Markdown cell, or the short name."""
        return self._opening[0] or self.short

    @cached_property
    def question(self) -> str:
        """What the notebook answers: the sentence under its heading, or nothing."""
        return self._opening[1]

    @cached_property
    def _opening(self) -> tuple[str, str]:
        texts = (source(cell) for cell in self.cells if cell.get("cell_type") == "markdown")
        heading, _, rest = next(texts, "").strip().partition("\n")
        return heading.lstrip("# ").strip(), " ".join(rest.split())


def source(cell: Mapping[str, Any]) -> str:
    """Return a cell's text, which the format stores whole or as a list of lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def list_notebooks(folder: str = "") -> list[Notebook]:
    """Return the notebooks under ``notebooks/``, or under one folder of it, sorted by name."""
    pattern = f"{folder}/**/*.ipynb" if folder else "**/*.ipynb"
    return [
        Notebook(name.removesuffix(".ipynb"), path) for name, path in listing("notebooks", pattern)
    ]


def find_notebook(name: str) -> Notebook:
    """Return the notebook that ``service_slo``, ``reports/service_slo`` or a path names.

    A report is preferred to another notebook of the same short name.

    Raises:
        UnknownNotebook: nothing, or more than one notebook, answers to the name.
    """
    bare = name.removesuffix(".ipynb")
    if path := find("notebooks", f"{bare}.ipynb"):
        return Notebook(bare, path)
    if name.endswith(".ipynb") and Path(name).is_file():
        return Notebook(Path(bare).name, Path(name).resolve())
    known = list_notebooks()
    same = [notebook for notebook in known if notebook.short == bare]
    chosen = [notebook for notebook in same if notebook.name.startswith("reports/")] or same
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(notebook.name for notebook in chosen)
        raise UnknownNotebook(f"{name!r} may be any of {names}; write the longer name")
    close = nearest(bare, [n for notebook in known for n in (notebook.short, notebook.name)])
    names = ", ".join(notebook.name for notebook in known) or "none; see 'fleetslo doctor'"
    raise UnknownNotebook(f"there is no notebook {name!r}.{close} There are: {names}")


def describe(notebook: Notebook | str) -> list[Parameter]:
    """Return the parameters of a notebook in the order of its cell tagged ``parameters``.

    A comment behind a parameter, or on the lines right above it, is its help.

    Raises:
        UnknownNotebook: nothing answers to the name.
        NotebookError: the cell cannot be read, or a line of it is no typed parameter.
    """
    notebook = find_notebook(notebook) if isinstance(notebook, str) else notebook
    tagged = [c for c in notebook.cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    if not tagged:
        return []
    text = source(tagged[0])
    try:
        statements = ast.parse(text).body
        comments = {
            token.start[0]: (token.string.lstrip("# ").strip(), token.line.lstrip()[:1] == "#")
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        }
    except (SyntaxError, tokenize.TokenError) as error:
        raise NotebookError(f"{notebook.path}: parameters cell: {error}") from None
    found: list[Parameter] = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        found.append(_parameter(notebook, statement, comments))
    return found


def _parameter(
    notebook: Notebook, statement: ast.stmt, comments: Mapping[int, tuple[str, bool]]
) -> Parameter:
    where = f"{notebook.path}: parameters cell, line {statement.lineno}"
    if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
        raise NotebookError(
            f"{where}: {ast.unparse(statement)!r} is no typed parameter; "
            'write service: str = "checkout"  # which service'
        )
    name, type_ = statement.target.id, ast.unparse(statement.annotation)
    if type_.removesuffix(" | None") not in TYPES:
        raise NotebookError(f"{where}: {name!r} is a {type_}; use one of {', '.join(TYPES)}")
    if statement.value is None:
        raise NotebookError(f"{where}: {name!r} has no default; JupyterLab needs one")
    try:
        default = _typed(type_, _literal(statement.value))
    except ValueError:
        raise NotebookError(
            f"{where}: the default of {name!r} is no {type_}: {ast.unparse(statement.value)}"
        ) from None
    help_, _ = comments.get(statement.end_lineno or statement.lineno, ("", False))
    above: list[str] = []
    line = statement.lineno - 1
    while not help_ and comments.get(line, ("", False))[1]:
        above.insert(0, comments[line][0])
        line -= 1
    return Parameter(name, type_, default, help_ or " ".join(above))


def _literal(node: ast.expr) -> object:
    """Return the value of a literal, or of a ``date(2026, 11, 1)``."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"date", "datetime.date"}:
        return date(*[ast.literal_eval(argument) for argument in node.args])
    return ast.literal_eval(node)


def check_parameters(notebook: Notebook, given: Mapping[str, object]) -> dict[str, Value]:
    """Return the given values, each with the type that the notebook declares for it.

    Text, as it comes from a command line, is read: ``7``, ``true``, ``a,b``, ``2026-11-01``.
    Other values must have the type already. Parameters that are not given keep their default in
    the notebook and are not in the result.

    Raises:
        UnknownParameter: the notebook declares no parameter of this name.
        ParameterError: a value cannot be what the parameter is.
    """
    declared = {parameter.name: parameter for parameter in describe(notebook)}
    checked: dict[str, Value] = {}
    for name, value in given.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UnknownParameter(
                f"{notebook.name} has no parameter {name!r}."
                f"{nearest(name, list(declared))} It has: {known}"
            )
        type_ = declared[name].type
        try:
            checked[name] = _typed(type_, value)
        except ValueError:
            expected = TYPES[type_.removesuffix(" | None")]
            raise ParameterError(
                f"{notebook.name}: parameter {name!r} is {value!r}; it must be {type_}: {expected}"
            ) from None
    return checked


def _typed(type_: str, value: object) -> Value:
    """Return a value as this type, or raise ValueError."""
    if type_.endswith(" | None"):
        return None if value is None else _typed(type_.removesuffix(" | None"), value)
    match type_, value:
        case "str", str():
            return value
        case "str", date() if not isinstance(value, datetime):
            return value.isoformat()  # YAML reads a bare 2026-11-01 as a date
        case "bool", bool():
            return value
        case "bool", str() if value.lower() in {"true", "yes", "1"}:
            return True
        case "bool", str() if value.lower() in {"false", "no", "0"}:
            return False
        case "int", int() | str() if not isinstance(value, bool):
            return int(value)
        case "float", int() | float() | str() if not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number):
                return number
        case "date", date() if not isinstance(value, datetime):
            return value
        case "date", str():
            return date.fromisoformat(value)
        case "list[str]", list() if all(isinstance(item, str) for item in value):
            return value
        case "list[str]", str() if value.startswith("["):
            return _typed(type_, json.loads(value))
        case "list[str]", str():
            return [item.strip() for item in value.split(",") if item.strip()]
    raise ValueError(value)
