"""The key of a job: the same for the same inputs, another one for any other."""

import json
from dataclasses import replace
from datetime import date

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from pydantic import SecretStr

from fleetslo.reports.jobs import Job
from fleetslo.reports.keys import keyed
from fleetslo.settings import load_settings


class Stored:
    """Data that looks as it is told to."""

    def __init__(self, looks: str = "monday") -> None:
        self.looks = looks

    def fingerprint(self) -> str:
        return self.looks


@pytest.fixture
def settings(tmp_path, monkeypatch):
    (tmp_path / "fleetslo.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return load_settings().settings


@pytest.fixture
def job(tmp_path):
    return Job(
        notebook="reports/one",
        source=write(tmp_path, "1 + 1"),
        page="one/a",
        path="2026-10-04_2026-11-01/one/a.html",
        report="one",
        service="a",
        period="2026-10-04/2026-11-01",
        as_of="2026-11-01",
        parameters={"service": "a", "day": date(2026, 11, 1), "share": 1.0},
    )


def write(folder, source, **more):
    path = folder / "one.ipynb"
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell(source, **more)])))
    return path


def key(job, settings, data="monday"):
    (one,) = keyed([job], settings, Stored(data))
    return one.key


def test_the_same_inputs_give_the_same_key_whatever_it_runs_with(job, settings):
    other = settings.model_copy(update={"jobs": 7, "keep_releases": 9, "notebook_timeout_s": 1.0})
    assert key(job, settings) == key(job, other) != ""


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"service": "a", "day": date(2026, 11, 1), "share": 1}},
        {"parameters": {"service": "a", "day": "2026-11-01", "share": 1.0}},
        {"period": "2026-10-03/2026-10-31"},
        {"as_of": "2026-11-02"},
        {"service": "b"},
        {"squad": "red"},
        {"notebook": "reports/two"},
    ],
)
def test_another_question_has_another_key(job, settings, change):
    assert key(replace(job, **change), settings) != key(job, settings)


def test_other_data_and_other_judgements_have_another_key(job, settings):
    stricter = settings.model_copy(update={"coverage_minimum": 0.95})
    keys = {key(job, settings), key(job, settings, "tuesday"), key(job, stricter)}
    assert len(keys) == 3


def test_outputs_of_a_notebook_do_not_count_and_its_text_does(job, settings, tmp_path):
    before = key(job, settings)
    ran = [new_output("stream", text="2")]
    write(tmp_path, "1 + 1", outputs=ran, execution_count=4)
    document = json.loads((tmp_path / "one.ipynb").read_text())
    assert document["cells"][0]["outputs"]
    assert key(job, settings) == before
    write(tmp_path, "1 + 2")
    assert key(job, settings) != before


def test_questions_and_modules_of_the_project_count(job, settings, tmp_path):
    before = key(job, settings)
    (tmp_path / "queries" / "objectives").mkdir(parents=True)
    (tmp_path / "queries" / "objectives" / "a.yaml").write_text("target: 0.99")
    with_objective = key(job, settings)
    (tmp_path / "ours.py").write_text("x = 1")
    assert len({before, with_objective, key(job, settings)}) == 3


def test_nothing_is_claimed_where_nothing_tells(job, settings):
    assert key(job, settings, data="") == ""
    secret = replace(job, parameters={"token": SecretStr("abc")})
    assert key(secret, settings) == ""
