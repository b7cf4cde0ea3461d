"""A secret given to a notebook is in no file that comes of it, on either engine."""

import base64
import json

import nbformat
import pytest
from engine_runs import ENVIRON, notebook, printed, text_of
from pydantic import SecretStr

from fleetslo.errors import ParameterError
from fleetslo.reports.engine.parameters import Python
from fleetslo.reports.engine.secrets import COVER, Reference, secrets_of
from fleetslo.reports.jobs import Job, Result
from fleetslo.reports.manifest import Manifest
from fleetslo.reports.notebooks import check_parameters, find_notebook

SECRET = 'p"s <w\\ü/+&1'  # noqa: S105 -- of what each way to write a text escapes


@pytest.mark.parametrize("given", ["${DOOR_KEY}", SecretStr(SECRET)])
def test_a_secret_reaches_the_cells_and_no_file(run, tmp_path, given):
    cells = [
        "print(a)\nprint(a[:3], end='', flush=True); print(a[3:])",
        """import sys, json, html, base64
from urllib.parse import quote
print(json.dumps(a), html.escape(a), quote(a, safe=''), file=sys.stderr)
{'r': a, 'b': base64.b64encode(a.encode())}""",
        "from IPython.display import display, JSON\nh = display(1, display_id=True)",
        "h.update(JSON({a: [a]}))",
        "import os; os.system('echo \"$KEPT\"'); len(a)",
        "raise ValueError('not with ' + a)",
    ]
    partial = tmp_path / "partial.ipynb"
    executed = run(
        notebook(*cells),
        {"a": given},
        environ={**ENVIRON, "DOOR_KEY": SECRET, "KEPT": SECRET},
        partial=partial,
    )
    text = nbformat.writes(executed.notebook)
    stored = json.dumps(json.loads(text), ensure_ascii=False)
    shows = [*executed.failure.traceback, executed.failure.value, executed.failure.source]
    for spelling in (SECRET, repr(SECRET)[1:-1], base64.b64encode(SECRET.encode()).decode()):
        assert spelling not in "\n".join(shows)
        assert json.dumps(spelling, ensure_ascii=False)[1:-1] not in stored
    injected, first, escaped, display, _, size, _ = executed.notebook.cells[2:]
    assert "os.environ[" in injected.source
    assert printed(first) == f"{COVER}\n{COVER}\n"
    assert printed(escaped, "stderr") == f'"{COVER}" {COVER} {COVER}\n'
    assert text_of(escaped) == f"{{'r': '{COVER}', 'b': b'{COVER}'}}"
    assert display.outputs[0].data["application/json"] == {COVER: [COVER]}
    assert text_of(size) == str(len(SECRET))
    assert str(executed.failure) == f"cell 8 of 8, line 1: ValueError: not with {COVER}"
    assert executed.notebook.metadata.papermill.parameters["a"].startswith("${")


def test_a_reference_is_an_expression_in_the_cell():
    source = Python.codify({"n": 1, "key": Reference("DOOR_KEY")})
    assert source == 'import os\n\n# Parameters\nn = 1\nkey = os.environ["DOOR_KEY"]\n'


def test_what_cannot_be_kept_secret_is_refused():
    with pytest.raises(ParameterError, match="no environment variable NOWHERE is set"):
        secrets_of({"a": "${NOWHERE}"}, {})
    with pytest.raises(ParameterError, match="a secret of 3 characters, too few") as error:
        secrets_of({"a": SecretStr("abc")}, {})
    assert "abc" not in str(error.value)


def test_a_missing_variable_fails_the_report_and_not_the_worker(run):
    executed = run(notebook("1"), {"a": "${NOWHERE_SET}"})
    assert executed.outcome == "failed"
    assert str(executed.failure).startswith("before its first cell: ParameterError: parameter 'a'")


def test_text_that_only_holds_a_reference_is_text():
    secrets = secrets_of({"a": "costs ${X}", "b": "$X"}, {})
    assert (secrets.parameters, secrets.values) == ({"a": "costs ${X}", "b": "$X"}, frozenset())


def test_a_manifest_does_not_tell(project, tmp_path):
    project.notebook("one", 'key: str = ""')
    given = check_parameters(find_notebook("one"), {"key": SecretStr(SECRET)})
    job = Job("one", tmp_path, "one", "one.html", "one", None, "", "", given)
    done = {"one.html": Result("ok", 1.0)}
    manifest = Manifest(tmp_path, "run", tmp_path, jobs={"one.html": job}, results=done)
    text = manifest.write("ok").read_text()
    assert json.loads(text)["jobs"][0]["parameters"] == {"key": "**********"}
    assert SECRET not in text
    assert SECRET not in repr(job)
