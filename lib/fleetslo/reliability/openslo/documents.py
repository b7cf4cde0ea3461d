"""YAML files of objective documents, read so that every fault can say where it is."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from fleetslo.errors import ObjectiveError, nearest

# An anchor that holds anchors can unfold into more than memory; no real file comes near this.
_MOST_VALUES = 200_000

# The same loader in C, ten times as fast, where PyYAML was built with it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Trail = tuple[str | int, ...]


def spelled(trail: Trail) -> str:
    """Return the place of a value as a reader writes it: ``spec.objectives[0].target``."""
    text = ""
    for step in trail:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def shown(value: object) -> str:
    """Return a value as a message quotes it, cut when it is long."""
    if isinstance(value, Mapping):
        text = "{" + ", ".join(map(str, value)) + "}"
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        text = f"a list of {len(value)}"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (date, datetime)):
        text = value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    else:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


@dataclass
class Document:
    """One YAML document: its value, where each part of it stands, and what is wrong with it.

    Attributes:
        path: the file.
        number: which document of the file it is, from 1.
        value: what it holds.
        lines: the line of each field, from 1.
        faults: what is wrong, one message each, in the order found.
    """

    path: Path
    number: int
    value: Any
    lines: dict[Trail, int]
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """Its metadata.name, where that can be read."""
        meta = self.value.get("metadata") if isinstance(self.value, dict) else None
        name = meta.get("name") if isinstance(meta, dict) else None
        return name if isinstance(name, str) else None

    @property
    def source(self) -> str:
        """Where it stands: ``checkout.yaml, document 2``."""
        return f"{self.path}, document {self.number}"

    def fault(self, trail: Trail, rule: str) -> None:
        """Note that the field at ``trail`` breaks a rule; the value is quoted when there is one."""
        at = trail
        while at and at not in self.lines:
            at = at[:-1]
        place = f"{self.path}:{self.lines.get(at, 1)}: document {self.number}"
        name = f" ({self.name})" if self.name else ""
        found, value = _look(self.value, trail)
        subject = spelled(trail) or "the document"
        says = f"{subject} is {shown(value)}" if found else f"{subject} is missing"
        message = f"{place}{name}: {says}; {rule}"
        if message not in self.faults:
            self.faults.append(message)

    def unknown(self, trail: Trail, known: list[str]) -> None:
        """Note a field that does not exist, with the nearest that does."""
        name = str(trail[-1])
        self.fault(
            trail,
            f"there is no field {name!r} here.{nearest(name, known)} "
            f"There {'is' if len(known) == 1 else 'are'} {', '.join(known)}",
        )


def _look(value: Any, trail: Trail) -> tuple[bool, Any]:
    for step in trail:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False, None
    return True, value


class _Reader:
    """Turns YAML nodes into plain values and remembers the line of each."""

    def __init__(self, loader: Any, path: Path, number: int) -> None:
        self.loader = loader
        self.where = f"{path}: document {number}"
        self.lines: dict[Trail, int] = {}
        self.open: list[Node] = []

    def refuse(self, node: Node, rule: str) -> ObjectiveError:
        return ObjectiveError(f"{self.where}: line {node.start_mark.line + 1}: {rule}")

    def value(self, node: Node, trail: Trail) -> Any:
        self.lines.setdefault(trail, node.start_mark.line + 1)
        if len(self.lines) > _MOST_VALUES or any(node is outer for outer in self.open):
            raise self.refuse(node, "its anchors unfold without end; write the values out")
        if isinstance(node, ScalarNode):
            try:
                return self.loader.construct_object(node)
            except (yaml.YAMLError, ValueError) as error:
                raise self.refuse(node, f"{node.value!r} cannot be read: {error}") from None
        self.open.append(node)
        found: Any
        if isinstance(node, MappingNode):
            found = self.mapping(node, trail)
        else:
            found = [self.value(item, (*trail, i)) for i, item in enumerate(node.value)]
        self.open.pop()
        return found

    def mapping(self, node: MappingNode, trail: Trail) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                place = spelled(trail) or "the document"
                raise self.refuse(key, f"{place} has {key.value!r} twice; keep one")
            seen.add(str(key.value))
        self.loader.flatten_mapping(node)
        for key, item in node.value:
            if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise self.refuse(key, f"the key {key.value!r} is not text; write it in quotes")
            self.lines[(*trail, key.value)] = key.start_mark.line + 1
            found[key.value] = self.value(item, (*trail, key.value))
        return found


def _without_nothing(value: Any) -> Any:
    """Return a value without the fields that hold nothing: ``alertPolicies:`` is no field."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    return value


def files_of(path: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    """Yield a file, a folder's YAML files (``.yaml``, ``.yml``, by name), or those of several.

    Raises:
        ObjectiveError: a path leads to nothing.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else path
    for place in map(Path, paths):
        if place.is_dir():
            files = (file for file in place.rglob("*") if file.suffix in (".yaml", ".yml"))
            yield from sorted(file for file in files if file.is_file())
        elif place.exists():
            yield place
        else:
            raise ObjectiveError(f"{place}: there is no such file or folder")


def read_documents(path: Path) -> Iterator[Document]:
    """Yield the documents of a file in order; empty ones are left out, but counted.

    A document that is a list holds several objects, as OpenSLO's own examples do.

    Raises:
        ObjectiveError: the file cannot be read, or is not YAML that keeps each key once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ObjectiveError(f"{path}: cannot be read: {reason}") from None
    loader = _Loader(text)
    number = 0
    try:
        while loader.check_node():
            number += 1
            reader = _Reader(loader, path, number)
            node = loader.get_node()
            value = _without_nothing(reader.value(node, ())) if node else None
            if isinstance(value, list):
                for i, item in enumerate(value):
                    lines = {t[1:]: line for t, line in reader.lines.items() if t[:1] == (i,)}
                    yield Document(path, number, item, lines)
            elif value is not None:
                yield Document(path, number, value, reader.lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ObjectiveError(f"{path}{at}: not valid YAML: {problem}") from None
    finally:
        loader.dispose()
