"""The wheel carries queries and notebooks, and works from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize("kind", ["queries", "notebooks"])
def test_every_tracked_query_and_notebook_is_in_it(unpacked: Path, kind: str) -> None:
    listed = {
        p.relative_to(ROOT).as_posix()
        for p in (ROOT / kind).rglob("*")
        if p.suffix in {".sql", ".yaml", ".ipynb"}
    }
    listed = {name for name in listed if ".ipynb_checkpoints" not in name}
    assert listed
    for name in listed:
        assert (unpacked / "fleetslo" / name).is_file(), name


def test_it_works_from_a_folder_of_its_own(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import fleetslo, sys; from fleetslo import cli;"
        "assert fleetslo.__file__.startswith(sys.argv[1]);"
        "sys.exit(cli.run(['query']) or cli.run(['report']) or cli.run(['objectives', 'check']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(unpacked)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "slo/days" in done.stdout
    assert "reports/service_slo" in done.stdout
