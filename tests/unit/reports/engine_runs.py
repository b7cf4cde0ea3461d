"""Notebooks run by an engine in a worker, as a batch runs them: this process has used Polars."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.pool import Broken, Pool, Stop

ENVIRON = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}


@dataclass(frozen=True)
class Run:
    """A task that returns an executed notebook, and the cells and processes it was told of."""

    document: Any
    parameters: dict
    engine: str
    environ: dict
    folder: Path
    limits: Limits
    partial: Path | None = None

    @property
    def forks(self):
        return self.engine == "fork"

    def run(self, surroundings):
        from fleetslo.reports.engine.executing import execute

        return execute(
            self.document,
            self.parameters,
            engine=self.engine,
            name="reports/t",
            environ=self.environ,
            folder=self.folder,
            limits=self.limits,
            running=surroundings.running,
            on_cell=lambda *cell: surroundings.tell("cell", cell),
            partial=self.partial,
            connection=surroundings.connection,
            lost=surroundings.lost,
        )


@dataclass
class Runner:
    """A worker for one engine, kept from one notebook to the next."""

    pool: Pool
    engine: str
    told: list = field(default_factory=list)

    def __call__(
        self,
        document,
        parameters=None,
        *,
        limits=None,
        folder=Path("/"),
        environ=None,
        partial=None,
    ):
        self.told.clear()
        task = Run(
            document,
            parameters or {},
            self.engine,
            environ or ENVIRON,
            folder,
            limits or Limits(60),
            partial,
        )
        ((_, answer),) = self.pool.run(
            [task],
            limit_s=120,
            stop=Stop(),
            told=lambda task, what, value: self.told.append(value),
        )
        assert not isinstance(answer, Broken), answer
        return answer


def notebook(*cells):
    """Return a notebook of a title (cell 1), a parameters cell (cell 2) and these cells."""
    declared = new_code_cell('a: str = "x"', metadata={"tags": ["parameters"]})
    code = [new_code_cell(text) for text in cells]
    return new_notebook(cells=[new_markdown_cell("# T"), declared, *code])


def text_of(cell):
    """Return the text of a cell's last output."""
    return cell.outputs[-1]["data"]["text/plain"]


def printed(cell, name="stdout"):
    """Return what a cell wrote to a stream."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == name)
