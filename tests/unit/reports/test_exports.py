"""The schedule for other engines: each file is read by the engine's own checker where there is one."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from fleetslo import cli
from fleetslo.errors import SettingsError
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.exports.files import files_for
from fleetslo.reports.scheduling.exports.parts import LIMIT_H, Surroundings
from fleetslo.reports.scheduling.exports.systemd import calendar
from fleetslo.reports.scheduling.groups import groups_of
from fleetslo.reports.scheduling.timing import Timing


def entry(name, **more):
    return Entry(notebook="reports/x", name=name, page=name.replace("/", ""), **more)


GROUPS = groups_of(
    [
        entry("service_slo", retries=2),
        entry("fleet_overview", priority=1),
        entry("tokyo", cron="30 5 * * mon", zone="Asia/Tokyo", retries=0),
        entry("10%_of$HOME;{{x}}$(reboot)", every="month"),
    ]
)


def exported(engine, shards=1, project="/srv/fleetslo", *, tells=False):
    image = "registry.example/fleetslo:1"
    return files_for(engine, GROUPS, Surroundings(project, image, shards, tells))


@pytest.mark.parametrize("engine", ["airflow", "kubernetes", "systemd", "cron"])
def test_the_same_schedule_gives_the_same_files(engine):
    files = exported(engine)
    assert files == exported(engine)
    assert files
    for text in files.values():
        assert text.startswith("# Written by 'fleetslo schedule export'")


@pytest.mark.parametrize("shards", [1, 4])
def test_kubernetes_accepts_its_manifests(shards):
    files = exported("kubernetes", shards)
    assert len(files) == len(GROUPS) * (1 if shards == 1 else 2)
    for text in files.values():
        kubernetes_validate.validate(yaml.safe_load(text), "1.37", strict=True)


def test_a_cron_job_has_zone_retries_and_references_to_secrets():
    files = exported("kubernetes")
    job = yaml.safe_load(files["fleetslo-tokyo.yaml"])
    assert (job["spec"]["schedule"], job["spec"]["timeZone"]) == ("30 5 * * mon", "Asia/Tokyo")
    template = job["spec"]["jobTemplate"]["spec"]
    assert template["backoffLimit"] == 0
    (container,) = template["template"]["spec"]["containers"]
    assert container["args"] == [
        "run",
        "--trigger",
        "export",
        "--as-of",
        "today",
        "--only",
        "tokyo",
    ]
    assert container["envFrom"][1] == {"secretRef": {"name": "fleetslo", "optional": True}}
    assert {one["name"] for one in container["env"]} == {"FLEETSLO_HOME", "HOME"}
    together = yaml.safe_load(files["fleetslo-fleet-overview.yaml"])
    assert together["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 2
    # $$( is how a manifest says $( without naming a variable.
    hostile = next(text for name, text in files.items() if "10-of-home" in name)
    assert "$$(reboot)" in hostile


def test_shards_are_the_indexes_of_one_job():
    job = yaml.safe_load(exported("kubernetes", 4)["fleetslo-tokyo-now.yaml"])["spec"]
    assert (job["completionMode"], job["completions"], job["backoffLimitPerIndex"]) == (
        "Indexed",
        4,
        0,
    )
    (container,) = job["template"]["spec"]["containers"]
    # What a pod of the job would start, with an index of 0 and 3.
    line = container["command"][2].replace("exec fleetslo", "echo")
    for index in (0, 3):
        done = subprocess.run(
            ["/bin/sh", "-c", line], env={"JOB_COMPLETION_INDEX": str(index)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert (
            done.stdout
            == f"run --trigger export --as-of today --only tokyo --shard {index + 1}/4\n"
        )


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_accepts_its_units(tmp_path):
    program = tmp_path / "my project" / ".venv" / "bin" / "fleetslo"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    files = exported("systemd", project=str(tmp_path / "my project"), tells=True)
    assert sum(name.endswith("-tell.service") for name in files) == len(GROUPS)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "fleetslo" in line]
    assert (done.returncode, ours) == (0, [])
    for group in GROUPS:
        subprocess.run(
            ["systemd-analyze", "calendar", calendar(group.timing)], capture_output=True, check=True
        )


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 6 * * 1", "Mon *-*-* 06:00:00 UTC"),
        ("*/30 7 1 1,7 *", "*-01,07-01 07:00,30:00 UTC"),
        ("15 0 6 * * sat,sun", "Sun,Sat *-*-* 06:00:15 UTC"),
        ("* * * * *", "*-*-* *:*:00 UTC"),
    ],
)
def test_a_timing_as_systemd_writes_it(cron, expected):
    assert calendar(Timing(cron)) == expected


def test_a_crontab_runs_under_its_zone(tmp_path):
    program = tmp_path / "my project" / ".venv" / "bin" / "fleetslo"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    text = exported("cron", project=str(tmp_path / "my project"))["fleetslo.crontab"]
    lines = text.splitlines()
    tokyo = next(n for n, line in enumerate(lines) if "--only tokyo" in line)
    assert lines[tokyo - 1] == "CRON_TZ=Asia/Tokyo"
    assert lines[tokyo].startswith("30 5 * * mon ")
    # cron takes \% for a percent sign, and gives the rest to the shell.
    hostile = next(line for line in lines if "10" in line and "of$HOME" in line)
    assert "%" not in hostile.replace("\\%", "")
    command = hostile.split(maxsplit=5)[5].replace("\\%", "%")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "run",
        "--trigger",
        "export",
        "--as-of",
        "today",
        "--only",
        "10%_of$HOME;{{x}}$(reboot)",
    ]


def test_people_are_told_once_a_batch_has_no_attempt_left():
    said = exported("systemd", tells=True)
    assert (
        "OnSuccess=fleetslo-tokyo-tell.service\nOnFailure=fleetslo-tokyo-tell.service\n"
        in (said["fleetslo-tokyo.service"])
    )
    assert '"tell" "--only" "tokyo"\n' in said["fleetslo-tokyo-tell.service"]
    assert exported("cron", tells=True)["fleetslo.crontab"].count(" --tell\n") == len(GROUPS)
    dags = exported("airflow", 3, tells=True)["fleetslo_dags.py"]
    compile(dags, "fleetslo_dags.py", "exec")
    assert dags.count("[run_1, run_2, run_3] >> BashOperator(\n        task_id='tell'") == len(
        GROUPS
    )
    # A pod is told to tell; shards do not know of each other.
    for shards, told in ((1, True), (4, False)):
        files = exported("kubernetes", shards, tells=True)
        assert all(("tell" in text) == told for text in files.values())
        for text in files.values():
            kubernetes_validate.validate(yaml.safe_load(text), "1.37", strict=True)


def test_nobody_is_told_where_the_project_names_nobody():
    for engine in ("airflow", "kubernetes", "systemd", "cron"):
        assert not any("tell" in text for text in exported(engine).values())


def test_an_export_tells_whom_the_project_names(project, capsys):
    (project.folder / "notebooks").mkdir()
    (project.folder / "notebooks" / "recipients.yaml").write_text(
        "recipients: {all: {fleet: true, webhook: '${HOOK}'}}"
    )
    assert cli.run(["schedule", "export", "--to", "cron"]) == 0
    assert " --tell" in capsys.readouterr().out


def test_a_batch_that_hangs_is_ended_by_every_engine_as_by_the_daemon():
    daemon = next(
        one for one in get_command(cli.app).commands["schedule"].params if one.name == "limit"
    )
    assert daemon.default == f"{LIMIT_H}h"
    job = yaml.safe_load(exported("kubernetes")["fleetslo-tokyo.yaml"])
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["activeDeadlineSeconds"] == LIMIT_H * 3600
    assert f"\nTimeoutStartSec={LIMIT_H}h\n" in exported("systemd")["fleetslo-tokyo.service"]
    assert f"timeout -k 60 {LIMIT_H}h" in exported("cron")["fleetslo.crontab"]
    (dags,) = exported("airflow").values()
    assert f'"execution_timeout": timedelta(hours={LIMIT_H})' in dags


@pytest.mark.parametrize("engine", ["airflow", "kubernetes", "cron"])
def test_seconds_are_refused_where_there_are_none(engine):
    groups = groups_of([entry("often", cron="*/10 * * * * *", source="schedule.yaml: line 3")])
    with pytest.raises(SettingsError, match="line 3: 'cron' has seconds"):
        files_for(engine, groups, Surroundings("/srv", "x"))
    assert (
        "*:*:00,10,20"
        in files_for("systemd", groups, Surroundings("/srv", "x"))["fleetslo-often.timer"]
    )


@pytest.mark.parametrize("engine", ["systemd", "cron"])
def test_shards_are_refused_on_one_machine(engine):
    with pytest.raises(SettingsError, match="cannot be cut into 4 shards"):
        exported(engine, 4)


def test_two_reports_of_one_name_are_told_apart_or_refused():
    clash = groups_of([entry("a_b"), entry("a-b", every="day")])
    with pytest.raises(SettingsError, match="would have the same name in another engine"):
        files_for("systemd", clash, Surroundings("/srv", "x"))


def test_files_are_shown_or_written(project, capsys):
    assert cli.run(["schedule", "export", "--to", "cron"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# fleetslo.crontab\n")
    assert "0 6 * * 1" in shown
    assert cli.run(["schedule", "export", "--to", "systemd", "-o", "units"]) == 0
    assert sorted(path.suffix for path in (project.folder / "units").iterdir()) == [
        ".service",
        ".timer",
    ]


def test_a_dag_is_python():
    for shards in (1, 3):
        text = exported("airflow", shards)["fleetslo_dags.py"]
        compile(text, "fleetslo_dags.py", "exec")
        assert text.count("BashOperator(") == shards * len(GROUPS)
