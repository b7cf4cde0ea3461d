"""Every command and snippet of the README and of CONTRIBUTING is run."""

import re
import shlex
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from fleetslo import cli
from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.metrics import Metrics
from fleetslo.reports.telling.recipients import read_recipients

ROOT = Path(__file__).parents[2]
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
}


def fences(language: str) -> list[tuple[str, str]]:
    """Each fenced block of a language: (file, text)."""
    return [
        (name, block)
        for name, text in TEXTS.items()
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)
    ]


def lines(language: str = "sh") -> list[str]:
    found = [
        line.partition("   #")[0].strip()
        for _, block in fences(language)
        for line in block.splitlines()
    ]
    inline = [
        code for text in TEXTS.values() for code in re.findall(r"`((?:make|fleetslo) [^`]+)`", text)
    ]
    return [line for line in dict.fromkeys([*found, *inline]) if line and not line.startswith("#")]


def make_targets() -> list[str]:
    return [line for line in lines() if line.startswith("make ")]


@pytest.mark.parametrize("line", make_targets())
def test_a_make_line_names_a_target_that_make_knows(line: str) -> None:
    words = [word for word in shlex.split(line, comments=True) if not word.startswith("#")]
    done = subprocess.run(
        ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_texts_link_to_is_there() -> None:
    links = [link for text in TEXTS.values() for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert "docs/service.png" in links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).is_file(), link


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for target in targets:
        assert re.search(rf"^{target}\s", done.stdout, re.M), target


def test_the_python_of_the_readme_runs(tiny: Path) -> None:
    blocks = fences("python")
    assert blocks
    for _, block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102  our own README
        assert isinstance(names["days"], pl.DataFrame)
        assert names["days"].height > 0
        assert isinstance(names["verdicts"], pl.DataFrame)
        assert names["view"].before.height > 0  # type: ignore[attr-defined]


def test_the_rows_of_the_readme_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    assert cli.run(["warehouse", "create"]) == 0
    for table, (_, text) in zip(("services", "requests"), fences("csv"), strict=True):
        (tmp_path / f"{table}.csv").write_text(text)
        assert cli.run(["warehouse", "load", table, str(tmp_path / f"{table}.csv")]) == 0
        assert f"{table}: 1 rows" in capsys.readouterr().out
    assert cli.run(["warehouse", "check"]) == 0
    # what was loaded is not in the reports yet, and is said not to be
    assert "fleetslo warehouse rollup" in capsys.readouterr().out
    assert cli.run(["warehouse", "rollup"]) == 0
    assert cli.run(["warehouse", "check"]) == 0
    assert "last rollup" not in capsys.readouterr().out


def test_a_table_says_what_its_columns_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["warehouse", "describe", "requests"]) == 0
    out = capsys.readouterr().out
    assert "requests seen before weighting by the sample rate" in out
    assert "may be left out" in out
    assert cli.run(["warehouse", "describe", "request"]) == 25


def test_the_settings_of_the_readme_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleetslo.settings import load_settings

    monkeypatch.chdir(tmp_path)
    for _, block in fences("toml"):
        written = tomllib.loads(block)
        (tmp_path / "fleetslo.toml").write_text(block)
        settings = load_settings({}, {}).settings
        assert written
        assert {name: getattr(settings, name) for name in written} == written


def test_the_documents_of_the_readme_are_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [block for _, block in fences("yaml") if block.startswith("apiVersion")]
    assert len(blocks) == 2
    for i, block in enumerate(blocks):
        (tmp_path / f"{i}.yaml").write_text(block)
    assert cli.run(["objectives", "check", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "1 objective, all valid (documents: 1 Exclusion, 1 SLO)" in told


def test_the_recipients_of_the_readme_are_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = [block for _, block in fences("yaml") if "recipients:" in block]
    (tmp_path / "fleetslo.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "recipients.yaml").write_text(block)
    monkeypatch.chdir(tmp_path)
    read = read_recipients()
    assert read is not None
    assert list(read.recipients) == ["payments", "everyone", "operators"]


def test_the_metrics_and_alert_rules_are_of_metrics_that_are_served() -> None:
    families = {
        one.name + "_total" if one.type == "counter" else one.name
        for one in Metrics().registry.collect()
    }
    table = TEXTS["README.md"].partition("| metric | says |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(fleetslo_\w+)`", table)) == families
    (group,) = yaml.safe_load((ROOT / "docs" / "prometheus-alerts.yaml").read_text())["groups"]
    named = set()
    for rule in group["rules"]:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"].keys() == {"summary", "action"}
        named |= set(re.findall(r"fleetslo_\w+", rule["expr"]))
    assert named == families - {"fleetslo_batches_running"}
    assert "fleetslo_batches_running" in str(group)


def test_the_schedule_of_the_readme_is_sound(tmp_path: Path) -> None:
    (block,) = [block for _, block in fences("yaml") if block.startswith("reports:")]
    (tmp_path / "schedule.yaml").write_text(block)
    (entry,) = read_schedule(tmp_path / "schedule.yaml")
    assert (entry.name, str(entry.timing)) == ("service_slo", "30 6 * * mon Europe/Berlin")


def test_every_annotation_that_the_readme_names_is_read() -> None:
    from fleetslo.reliability.openslo import annotations

    named = set(re.findall(r"`(fleetslo/[a-z-]+)`", TEXTS["README.md"]))
    known = {
        value
        for value in vars(annotations).values()
        if isinstance(value, str) and value.startswith("fleetslo/")
    }
    assert named == known


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the README loads, small."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLEETSLO_HOME", "FLEETSLO_WAREHOUSE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "my-fleet"
    folder.mkdir()
    (folder / "services.csv").write_text(
        "service,squad,system,tier,language,framework,lifecycle,oncall_timezone,valid_from,valid_to\n"
        "shop,Shop,store,1,java,apollo,production,Europe/Stockholm,2026-01-01T00:00:00Z,\n"
    )
    start = datetime(2026, 10, 1, tzinfo=UTC)
    minutes = pl.datetime_range(start, datetime(2026, 11, 1, tzinfo=UTC), "1m", closed="left",
                                time_unit="us", time_zone="UTC", eager=True)  # fmt: skip
    pl.DataFrame({"minute": minutes}).with_columns(
        service=pl.lit("shop"), endpoint=pl.lit("GET /"), region=pl.lit("eu"), version=pl.lit("1"),
        request_count=pl.lit(100), error_count=pl.lit(0), duration_sum_s=pl.lit(5.0),
        latency=pl.lit([{"bucket": -70, "count": 100}]), quality=pl.lit("exact"), observed_count=pl.lit(100),
    ).write_parquet(folder / "requests-2026-10.parquet")  # fmt: skip
    (folder / "metrics_5m.csv.gz").write_bytes(b"")
    header = (
        "traffic,split,case,unix_ts,microservice,avg_latency_s,p50_s,p90_s,p95_s,p99_s,requests,"
        "availability_pct\n"
    )
    import gzip

    with gzip.open(folder / "metrics_5m.csv.gz", "wt") as file:
        file.write(header)
        file.write("high_traffic,noissue,,1693922400,PetSite,0.02,0.02,0.03,0.04,0.05,200,100\n")
    return folder


@pytest.mark.timeout(280)
@pytest.mark.xdist_group("runs-notebooks")
def test_the_commands_of_the_readme_work_one_after_the_other(
    own_files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [line for line in lines() if line.startswith("fleetslo ")]
    block = next(text for _, text in fences("sh") if "fleetslo init" in text)
    assert cli.run(["init", "my-fleet"]) == 0
    monkeypatch.chdir(own_files)
    ran = []
    for line in block.splitlines():
        line = line.partition("   #")[0].strip()
        if line.startswith("fleetslo ") and " init " not in line:
            assert cli.run(shlex.split(line)[1:]) == 0, (line, capsys.readouterr().err)
            ran.append(line)
    assert (own_files / ".fleetslo/site/current/index.html").is_file()
    for line in told:
        words = shlex.split(line)[1:]
        if line in ran or words[0] in {"demo", "init"}:
            continue
        if words[0] == "schedule" and len(words) == 1:
            continue  # runs until it is stopped; tests/faults starts it
        words = [
            "shop"
            if word == "checkout" or word.startswith("checkout,")
            else word.replace("service=checkout", "service=shop")
            for word in words
        ]
        if words == ["--install-completion"]:
            continue  # writes to the user's shell; test_cli holds completion
        assert cli.run(words) == 0, (line, capsys.readouterr().err)
    assert (own_files / "checkout.html").stat().st_size > 1_000_000  # it carries plotly.js
