"""The command line: help, errors and exit codes. What commands do is tested where it is done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import fleetslo as fs
from fleetslo import cli, errors
from fleetslo.errors import FleetsloError


def commands() -> list[list[str]]:
    """Every command and group of the tool, as words."""
    found: list[list[str]] = [[]]

    def walk(group: object, words: list[str]) -> None:
        for name, command in getattr(group, "commands", {}).items():
            found.append([*words, name])
            walk(command, [*words, name])

    walk(typer.main.get_command(cli.app), [])
    return found


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command here runs in an empty folder, without settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLEETSLO_HOME", "FLEETSLO_WAREHOUSE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: fleetslo" in out
    assert len(out.splitlines()) > 5


def test_the_commands_of_the_first_version_are_there() -> None:
    names = {" ".join(words) for words in commands()}
    assert {
        "demo", "query", "report", "run", "init", "settings", "doctor", "objectives check",
        "objectives show", "objectives export",
        "warehouse create", "warehouse load", "warehouse check", "warehouse rollup",
        "warehouse describe", "warehouse migrate",
    } <= names  # fmt: skip


def test_every_error_has_an_exit_code_of_its_own() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FleetsloError)
    ]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    tree = errors.__doc__ or ""
    for kind in kinds:
        line = next(line for line in tree.splitlines() if f"{kind.__name__} " in line)
        assert str(kind.exit_code) in line.split(), line


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["query", "slo/days", "--perid", "28d"], 2, "--perid"),
        (["report", "servce_slo"], 23, "Did you mean 'service_slo'"),
        (["report", "service_slo", "-p", "service"], 2, "-p name=value"),
        (["report", "service_slo", "-p", "a=1", "-p", "a=2"], 2, "given twice"),
        (["query", "slo/days"], 11, "fleetslo demo"),
        (["run"], 11, "fleetslo demo"),
        (["warehouse", "describe"], 11, "fleetslo demo"),
        (["warehouse", "load", "requests", "x.csv", "--step", "5"], 2, "5m"),
        (["query", "--warehouse", "postgres://x", "slo/days"], 3, "duckdb:///path"),
        (["query", "slo/days", "--format", "parquet"], 2, "--output FILE"),
    ],
)
def test_bad_input_gets_one_message_and_an_exit_code(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(words) == code
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert err.count("fleetslo: ") == 1


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(errors.UnknownNotebook):
        cli.run(["--debug", "report", "servce_slo"])
    with pytest.raises(errors.UnknownNotebook):
        cli.run(["report", "servce_slo", "--debug"])


def test_a_fault_of_our_own_is_said_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("fleetslo.settings.load_settings", broken)
    assert cli.run(["settings"]) == 1
    assert "a fault in fleetslo itself: ZeroDivisionError" in capsys.readouterr().err


def test_settings_are_shown_with_their_origins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_JOBS", "7")
    assert cli.run(["settings"]) == 0
    line = next(
        line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("jobs")
    )
    assert "7" in line
    assert "FLEETSLO_JOBS" in line


def test_a_project_of_your_own(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init", "mine"]) == 0
    made = {
        path.relative_to(away / "mine").as_posix()
        for path in (away / "mine").rglob("*")
        if path.is_file()
    }
    assert {
        "fleetslo.toml",
        ".gitignore",
        "notebooks/README.md",
        "queries/objectives/mine.yaml",
    } <= made
    assert cli.run(["init", "mine"]) == 2
    assert "is a project already" in capsys.readouterr().err
    (away / "file").write_text("x")
    assert cli.run(["init", "file"]) == 60


def test_its_example_objective_is_valid_once_it_is_uncommented(
    away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["init", "mine"])
    path = away / "mine/queries/objectives/mine.yaml"
    assert cli.run(["objectives", "check", str(path)]) == 0
    assert "0 objectives" in capsys.readouterr().out
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines))
    assert cli.run(["objectives", "check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "my-service-availability" in out
    assert "99.9" in out


def test_an_objective_of_100_percent_is_refused(
    away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["init", "mine"])
    path = away / "mine/queries/objectives/mine.yaml"
    lines = path.read_text().replace("target: 0.999", "target: 1").splitlines()[1:]
    path.write_text("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines))
    assert cli.run(["objectives", "check", str(path)]) == 40
    err = capsys.readouterr().err
    assert "mine.yaml" in err
    assert "target" in err


def test_the_packaged_objectives_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["objectives", "check"]) == 0
    out = capsys.readouterr().out
    assert "{service}-availability" in out
    assert "all valid" in out


PROJECT = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: shop-availability
  annotations: {fleetslo/owner: Shop, fleetslo/reviewed: "2026-01-31", fleetslo/since: "2026-02-01"}
spec:
  service: shop
  indicatorRef: served
  timeWindow: [{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Paris}}]
  budgetingMethod: Timeslices
  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: stock-availability}
spec:
  service: stock
  indicatorRef: theirs
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: "{service}-served", annotations: {fleetslo/for: tier = 1}}
spec:
  service: "{service}"
  indicatorRef: served
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: served}
spec:
  ratioMetric:
    bad: {metricSource: {type: fleetslo, spec: {requests: failed}}}
    total: {metricSource: {type: fleetslo, spec: {requests: all}}}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: theirs}
spec:
  ratioMetric:
    good: {metricSource: {type: Prometheus, spec: {query: good}}}
    total: {metricSource: {type: Prometheus, spec: {query: total}}}
"""


@pytest.fixture
def project(away: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two services and a template, without data."""
    cli.run(["init", "mine"])
    folder = away / "mine"
    (folder / "queries/objectives/mine.yaml").write_text(PROJECT)
    monkeypatch.chdir(folder)
    return folder


def test_check_counts_every_kind_and_says_what_to_know(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.run(["objectives", "check", "queries/objectives/mine.yaml"]) == 0
    out = capsys.readouterr().out
    assert "3 objectives, all valid; 1 not measurable here (documents: 2 SLI, 3 SLO)" in out
    assert "stock-availability: not measurable here: its numbers come from Prometheus" in out
    # 14.4 × is not reached at 90 %, where a total outage burns at 1 / 0.1.
    never = "the page at 14.4 × never fires: a total outage burns at 10 ×"
    assert f"{{service}}-served: {never}" in out


def test_show_says_what_an_objective_amounts_to_without_any_data(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.run(["objectives", "show", "shop"]) == 0
    out, err = capsys.readouterr()
    assert "no warehouse here, whose catalogue says which services a template is for" in err
    for line in (
        "shop-availability (availability)",
        "method    Timeslices",
        "owner     Shop",
        "reviewed  31 Jan 2026",
        "since     1 Feb 2026",
        # The window of 30 days: the workbook's own table.
        "alert     page at 14.4 × over 1\u202fh and 5\u202fmin",
        "mine.yaml, document 1: written for this service",
    ):
        assert line.replace("\u202f", " ") in out.replace("\u202f", " ")


def test_show_of_a_service_that_nobody_names(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["objectives", "show", "shpo"]) == 21
    assert "Did you mean 'shop'?" in capsys.readouterr().err


def test_export_writes_documents_that_read_back(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["objectives", "export", "--service", "shop", "--to", "one.yaml"]) == 0
    assert "one.yaml: 1 objective" in capsys.readouterr().out
    written = Path("one.yaml").read_text()
    assert "indicatorRef" not in written
    assert "timeZone: Europe/Paris" in written
    assert cli.run(["objectives", "check", "one.yaml"]) == 0
    capsys.readouterr()
    assert cli.run(["objectives", "export"]) == 0
    whole = capsys.readouterr().out
    assert "query: total" in whole  # what is not measured here is not lost
    assert cli.run(["objectives", "export", "--to", "all"]) == 0
    names = {path.name for path in Path("all").iterdir()}
    assert {"shop-availability-2026-02-01.yaml", "stock-availability.yaml"} <= names
    assert cli.run(["objectives", "check", "all"]) == 0


def test_export_knows_the_services_of_the_warehouse(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = (
        "service,squad,system,tier,language,framework,lifecycle,oncall_timezone,valid_from,valid_to"
    )
    row = "cart,Shop,store,1,java,apollo,production,Europe/Paris,2026-01-01T00:00:00Z,"
    Path("services.csv").write_text(f"{head}\n{row}\n")
    cli.run(["warehouse", "create"])
    assert cli.run(["warehouse", "load", "services", "services.csv"]) == 0
    capsys.readouterr()
    assert cli.run(["objectives", "show", "cart"]) == 0
    out = capsys.readouterr().out
    assert "cart-served" in out
    assert "template for tier = 1" in out
    assert cli.run(["objectives", "export", "--service", "cart"]) == 0
    out = capsys.readouterr().out
    assert "name: cart-served" in out
    assert "{service}" not in out


def test_completion_is_offered(away: Path) -> None:
    script = Path(sys.executable).with_name("fleetslo")
    asked = {
        "_FLEETSLO_COMPLETE": "complete_bash",
        "COMP_WORDS": "fleetslo ware",
        "COMP_CWORD": "1",
    }
    out = subprocess.run(
        [script], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )
    assert out.stdout.split() == ["warehouse"]


def test_doctor_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "FAIL warehouse" in out
    assert "fleetslo demo" in out
    assert "ok   notebooks" in out


def test_doctor_looks_at_the_schedule_and_at_whoever_is_told(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fleetslo.toml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    recipients = tmp_path / "notebooks" / "recipients.yaml"
    fleet = fs.open_fleet()
    squad = fleet.services(fleet.period("7d"))["squad"].drop_nulls().sort()[0]
    recipients.write_text(
        f"recipients:\n  right: {{squad: {squad}, webhook: 'https://a'}}\n"
        f"  wrong: {{squad: {squad}x, webhook: '${{NO_SUCH_HOOK}}'}}\n"
    )
    cli.run(["doctor"])
    out = " ".join(capsys.readouterr().out.split())
    assert "ok schedule: 3 in notebooks/schedule.yaml: fleet_overview" in out
    assert "ok recipients: 2 in notebooks/recipients.yaml" in out
    assert f"wrong: no squad '{squad}x' owns a service. Did you mean '{squad}'?" in out
    assert "${NO_SUCH_HOOK} is not set in the environment" in out
    recipients.write_text("recipients: {none: {squad: a}}")
    assert cli.run(["doctor"]) == 3
    assert "say where: email" in " ".join(capsys.readouterr().out.split())


def test_json_of_an_answer_reads_back(away: Path) -> None:
    from datetime import UTC, datetime

    import polars as pl

    from fleetslo.writing import write_frame

    frame = pl.DataFrame(
        {
            "service": ["<script>"],
            "hour": [datetime(2026, 11, 1, tzinfo=UTC)],
            "latency": [[{"bucket": -3, "count": 2}]],
        }
    )
    rows = json.loads(write_frame(frame, "json", None))
    assert rows == [
        {
            "service": "<script>",
            "hour": "2026-11-01T00:00:00Z",
            "latency": [{"bucket": -3, "count": 2}],
        }
    ]
    text = write_frame(frame, "csv", None)
    assert "2026-11-01T00:00:00.000000000Z" in text or "2026-11-01T00:00:00" in text
    back = pl.read_csv(text.encode())
    assert json.loads(back["latency"][0]) == [{"bucket": -3, "count": 2}]
    write_frame(frame, "parquet", away / "x.parquet")
    assert pl.read_parquet(away / "x.parquet").equals(frame)
