"""``papermill --engine fleetslo in.ipynb out.ipynb``: our engine for whoever calls papermill.

papermill finds it by the entry point ``papermill.engine``, and imports this module with itself;
what is heavy comes when a notebook runs. That happens in a worker process: papermill's own has
threads and may have used the libraries. Nothing else imports this module: papermill would ask for
the engine before it is there.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from papermill.engines import Engine

from fleetslo.errors import NotebookFailed, UsageError

# Starting the worker and reading the document back are not the notebook's own time.
_MARGIN_S = 120.0


class FleetsloEngine(Engine):  # type: ignore[misc]
    """papermill's engine ``fleetslo``; the settings of the current project are in force."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution_timeout: int | None = None, **kwargs: Any
    ) -> Any:
        """Run the cells, and take each into papermill's document as the next one begins.

        Raises:
            UsageError: the notebook is in another language.
            NotebookFailed: it did not reach its end, and no cell shows an error that papermill
                would see.
        """
        import nbformat

        from fleetslo.reports.engine.choice import engine_of, limits_of
        from fleetslo.reports.engine.document import RunDocument
        from fleetslo.reports.pool import Broken, Pool, Stop
        from fleetslo.settings import load_settings

        language = nb_man.nb.metadata.get("kernelspec", {}).get("language") or "python"
        if language != "python":
            raise UsageError(f"the notebook is in {language}; the engine 'fleetslo' runs Python")
        settings = load_settings().settings
        limits = limits_of(settings)
        if execution_timeout:
            limits = replace(limits, cell_timeout_s=float(execution_timeout))
        writing: Any = nbformat.writes
        task = RunDocument(
            writing(nb_man.nb),
            nb_man.nb.metadata.papermill.get("parameters", {}),
            dict(os.environ),
            Path.cwd(),
            limits,
            engine_of(settings),
        )

        def told(_: RunDocument, what: str, value: Any) -> None:
            number, cell = value
            if cell is not None:
                nb_man.nb.cells[number - 2] = cell
                if nb_man.pbar:
                    nb_man.pbar.update(1)
                nb_man.autosave_cell()

        with tempfile.TemporaryDirectory(prefix="fleetslo-") as folder:
            log = Path(folder) / "worker.log"
            with Pool[RunDocument](1, log) as pool:
                ((_, answer),) = pool.run(
                    [task], limit_s=limits.timeout_s + _MARGIN_S, stop=Stop(), told=told
                )
            if isinstance(answer, Broken):
                detail = answer.detail or log.read_text(encoding="utf-8", errors="replace")
                raise NotebookFailed(f"{answer.says}\n{detail}".strip())
        text, outcome, says = answer
        reading: Any = nbformat.reads
        nb_man.nb = reading(text, as_version=4)
        if outcome not in {"ok", "failed"}:
            raise NotebookFailed(says)
        return nb_man.nb
