"""The rules of the house, read from the code itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fleetslo

ROOT = Path(__file__).parents[2]
LIB = ROOT / "lib" / "fleetslo"

FLOORS = {
    "errors": 0, "settings": 0, "periods": 0, "resources": 0, "files": 0, "writing": 0,
    "reliability": 1, "warehouse": 1,
    "charts": 2,
    "fleet": 3, "facts": 3, "measuring": 3, "explaining": 3, "service": 3, "overview": 3, "explore": 3, "squad": 3,
    "published": 3, "judgements": 3, "once": 3, "counting": 3,
    "reports": 4, "project": 4, "doctor": 4,
    "commands": 5, "cli": 5,
}  # fmt: skip
STRANGERS = {("reliability", "warehouse"), ("warehouse", "reliability")}


def modules() -> list[Path]:
    return sorted(LIB.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(LIB).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {name.removeprefix("fleetslo.") for name in names if name.startswith("fleetslo.")}
    return found


def test_every_module_stands_on_a_floor() -> None:
    rooms = {name_of(path).split(".")[0] for path in modules()} - {""}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_from_its_own_floor_or_below(path: Path) -> None:
    name = name_of(path)
    if not name:
        return  # the public face reaches every floor, lazily
    room = name.split(".")[0]
    for other in imports(path):
        target = other.split(".")[0]
        if target in FLOORS:
            assert FLOORS[target] <= FLOORS[room], f"{name} imports {other} from a floor above"
            assert (room, target) not in STRANGERS, f"{name} imports {other}"


def test_imports_have_no_circle() -> None:
    names = {name_of(path): path for path in modules()}
    graph = {
        name: {other for other in imports(path) if other in names}
        for name, path in names.items()
        if name
    }
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above[above.index(name) :], name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                if not type_only(names[name], other):
                    walk(other, (*above, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def type_only(path: Path, other: str) -> bool:
    """Whether a file imports a module only for its types or inside a function."""
    top = ast.parse(path.read_text(encoding="utf-8")).body
    at_top = ast.Module(
        body=[n for n in top if isinstance(n, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    return f"fleetslo.{other}" not in ast.unparse(at_top) and not re.search(
        rf"from fleetslo\.{re.escape(other.rpartition('.')[0])} import .*\b{other.rpartition('.')[2]}\b",
        ast.unparse(at_top),
    )


def test_charts_never_fetch() -> None:
    for path in (LIB / "charts").rglob("*.py"):
        assert not any(other.startswith("warehouse") for other in imports(path)), path.name


def test_only_the_command_line_ends_the_process() -> None:
    enders = {"sys.exit", "os._exit", "exit", "quit"}
    allowed = {
        ("reports.worker", "os._exit"),  # a worker process without a parent has nobody to tell
        ("reports.engine.child", "os._exit"),  # a fork must never go back into its parent's code
    }
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in enders:
                found = (name_of(path), ast.unparse(node))
                assert path.name == "cli.py" or found in allowed, f"{found} ends the process"


def test_modules_stay_small() -> None:
    long = {name_of(p): n for p in modules() if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}


def test_subpackages_are_empty_inside() -> None:
    for path in LIB.glob("*/**/__init__.py"):
        assert path.read_text() == "", path


def test_the_public_face() -> None:
    assert fleetslo.__all__ == ["Fleet", "FleetsloError", "Period", "__version__", "open_fleet"]
    for name in fleetslo.__all__:
        assert getattr(fleetslo, name) is not None
    assert set(fleetslo.__all__) <= set(dir(fleetslo))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fleetslo.nonsense  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = {"polars", "duckdb", "plotly", "numpy", "pydantic", "scipy", "rich", "typer"}
    code = "import sys, fleetslo; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(out.stdout.split())


def test_no_file_names_a_registry_or_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    hosts = re.compile(
        "py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.(org|com)|deb\." + "debian", re.I
    )
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in {".png", ".parquet"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not hosts.search(text), f"{name} names a registry host"
        assert f"{ROOT.parent}/" not in text, f"{name} names a path of this machine"
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[a-z0-9][^\s=]*==", lock, re.M | re.I)
    assert len(pinned) > 50
    assert lock.count("--hash=sha256:") >= len(pinned)
