"""A project folder of its own for each test, with small notebooks written into it."""

import os
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import nbformat
import pytest
from engine_runs import Runner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fleetslo.reports.pool import Pool


class Project:
    """A project folder that is the current one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "fleetslo.toml").write_text("")

    def notebook(self, name, parameters, *cells, title="# A notebook", end=None):
        """Write a notebook of a title, a parameters cell unless None, code cells, and a text."""
        path = self.folder / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        declared = []
        if parameters is not None:
            declared = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        code = [new_code_cell(text) for text in cells]
        last = [new_markdown_cell(end)] if end else []
        document = new_notebook(cells=[new_markdown_cell(title), *declared, *code, *last])
        nbformat.write(document, path)
        return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Make runners of notebooks, each with a worker that can import the tests' tasks."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        found = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(found))

        @cache
        def worker(engine):
            log = tmp_path_factory.mktemp("log") / "workers.log"
            return Runner(stack.enter_context(Pool(1, log)), engine)

        yield worker


@pytest.fixture(params=["fork", "kernel"])
def run(request, workers):
    return workers(request.param)
