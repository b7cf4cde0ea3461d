"""The image: no engine for containers is needed to see that what it copies and starts is there."""

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fleetslo import cli
from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.exports import kubernetes
from fleetslo.reports.scheduling.exports.parts import Surroundings
from fleetslo.reports.scheduling.groups import groups_of

ROOT = Path(__file__).parents[2]
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)", re.M)


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile and what follows it, on one line."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.splitlines() if line and line[0] != "#"]
    return [(word, " ".join(rest.split())) for word, _, rest in lines]


def last(word: str) -> str:
    return [rest for name, rest in instructions() if name == word][-1]


def pinned(name: str) -> set[tuple[str, str, frozenset[str]]]:
    """Name, version and hashes of each requirement of a lock; on which machines is left out."""
    found = set()
    for block in re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text()):
        match = _PINNED.match(block)
        assert match, block[:80]
        hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        assert hashes
        found.add((match["name"], match["version"], hashes))
    return found


def test_what_it_copies_is_there_and_not_left_out() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert {"runtime.lock", "lib", "queries", "notebooks"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), source
    # what the wheel is built from besides
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [project["project"]["readme"], *project["project"]["license-files"]]
    assert {*named, *project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]} <= set(
        sources
    )


def test_its_locks_are_parts_of_the_lock_and_name_no_index() -> None:
    whole = pinned("requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name in ("runtime.lock", "build.lock"):
        text = (ROOT / name).read_text()
        assert not re.search(r"^\s*-(-index|-extra-index|-find-links|i |f )", text, re.M)
        assert pinned(name) <= whole, name
    runtime = {name for name, _, _ in pinned("runtime.lock")}
    wanted = {re.split("[><=]", one)[0].lower() for one in project["project"]["dependencies"]}
    assert wanted <= runtime
    tools = {
        re.split("[><=]", one)[0]
        for one in project["dependency-groups"]["dev"]
        if isinstance(one, str)
    }
    assert {"pytest", "ruff", "mypy", "playwright"} <= tools
    # psutil comes with ipykernel, jsonschema with nbformat.
    assert not ((tools | {"hatchling", "editables"}) - {"psutil", "jsonschema"}) & runtime


def test_user_and_folders_are_those_of_the_manifests() -> None:
    assert last("USER") == "10001"
    groups = groups_of(read_schedule(ROOT / "notebooks" / "schedule.yaml"))
    (text,) = kubernetes.manifests(groups, Surroundings("/srv/fleetslo", "x")).values()
    assert "runAsUser: 10001\n" in text
    assert last("WORKDIR") == "/srv/fleetslo"
    assert last("ENV") == "FLEETSLO_HOME=/var/lib/fleetslo"
    assert "value: /var/lib/fleetslo\n" in text


def test_what_it_starts_is_a_command_with_a_health_to_look_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    (entry,) = json.loads(last("ENTRYPOINT"))
    assert entry in scripts
    words = json.loads(last("CMD"))
    port = words[words.index("--metrics") + 1].rpartition(":")[2]
    assert cli.run([words[0], "--help"]) == 0
    assert all(word in capsys.readouterr().out for word in words if word.startswith("--"))
    assert last("EXPOSE") == port
    _, _, check = last("HEALTHCHECK").partition(" CMD ")
    python, flag, code = json.loads(check)
    assert (python, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert f"http://127.0.0.1:{port}/healthz" in code


def test_nothing_that_builds_is_left() -> None:
    """What runs in the last stage takes the tools away and puts none in."""
    words = [word for word, _ in instructions()]
    stage = instructions()[len(words) - words[::-1].index("FROM") - 1 :]
    runs = " && ".join(rest for word, rest in stage if word == "RUN")
    assert "pip uninstall --yes pip setuptools wheel" in runs
    assert not re.search(r"pip install|apt-get|curl", runs)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_runtime_lock_installs_and_runs_the_command(tmp_path: Path) -> None:
    steps = [
        shlex.split(part)
        for word, rest in instructions()
        if word == "RUN" and "pip install" in rest
        for part in rest.split("&&")
        if "pip" in part.split()[:1]
    ]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    built = tmp_path / "build"
    subprocess.run([sys.executable, "-m", "venv", built], check=True)
    # The steps of the first stage, with a folder of ours where the image has its root.
    wheels, installed = str(tmp_path / "wheels"), str(tmp_path / "installed")
    for step in steps:
        words = [
            word.replace("/wheels/*.whl", f"{wheels}/*.whl").replace("=/installed", f"={installed}")
            for word in step[1:]
        ]
        words = [wheels if word == "/wheels" else word for word in words]
        words = [
            str(path)
            for word in words
            for path in ([*Path(wheels).glob("*.whl")] if "*" in word else [word])
        ]
        done = subprocess.run(
            [built / "bin" / "python", "-m", "pip", *words],
            cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
    (packages,) = Path(installed).glob("lib/python3*/site-packages")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    for words in (["--help"], ["run", "--help"], ["schedule", "--help"]):
        done = subprocess.run(
            [bare / "bin" / "python", f"{installed}/bin/fleetslo", *words],
            cwd=tmp_path, env={**environ, "PYTHONPATH": str(packages)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, "Usage" in done.stdout) == (0, True), done.stderr
    assert not [
        path.name
        for path in packages.glob("*")
        if path.name.lower().startswith(("pytest", "ruff", "hatchling"))
    ]
