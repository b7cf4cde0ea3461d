"""The records that real runs leave, as the command line makes and shows them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from tests.small_records import write_record

from fleetslo.cli import run
from fleetslo.errors import OutputError, UnknownName
from fleetslo.reports.records.changes import Change, changes
from fleetslo.reports.records.model import schema
from fleetslo.reports.records.reading import find_run, read_record, read_run, run_ids
from fleetslo.reports.telling.reading import read_batch, runs_of

PARAMETERS = (
    'service: str = "a"  # which\nperiod: str = "28d"  # how far back\n'
    'as_of: str = ""\nkey: str = ""  # a secret\n'
)
CELL = """
import time
from pathlib import Path
Path(f"{service}.ran").touch()
if service in Path("bad.txt").read_text().split():
    raise ValueError(f"no {service}, {key}")
while service in Path("slow.txt").read_text().split():
    time.sleep(0.05)
"""
SECRET = "correct horse battery staple"  # noqa: S105
PUBLISHED = Path(__file__).parents[3] / "docs" / "run-manifest.schema.json"


class Own:
    """A project with one small report of each service, on the tiny fleet, in a home of its own."""

    def __init__(self, project, warehouse):
        self.folder = project.folder
        self.home = project.folder / "home"
        project.notebook("reports/one", PARAMETERS, CELL)
        self.schedule("{notebook: reports/one, for_each: service, parameters: {key: '${KEY}'}}")
        self.bad()
        self.slow()
        self.environ = {"FLEETSLO_HOME": str(self.home), "KEY": SECRET}
        self.environ["FLEETSLO_WAREHOUSE"] = f"duckdb://{warehouse}"

    def schedule(self, text):
        (self.folder / "notebooks" / "schedule.yaml").write_text(f"reports:\n- {text}")

    def bad(self, *services):
        (self.folder / "bad.txt").write_text(" ".join(services))

    def slow(self, *services):
        (self.folder / "slow.txt").write_text(" ".join(services))

    def ran(self):
        """Return which reports were executed since this was last asked."""
        found = sorted(self.folder.glob("*.ran"))
        for path in found:
            path.unlink()
        return [path.stem for path in found]

    @property
    def newest(self):
        path = max(
            (self.home / "runs").glob("*/manifest.json"), key=lambda one: one.stat().st_mtime
        )
        return json.loads(path.read_text())


@pytest.fixture
def own(project, tiny, monkeypatch):
    made = Own(project, tiny / "warehouse")
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made


def closed(part):
    """Return a schema that refuses a field which it does not describe."""
    if isinstance(part, dict):
        made = {name: closed(value) for name, value in part.items()}
        return {**made, "additionalProperties": False} if "properties" in part else made
    return [closed(value) for value in part] if isinstance(part, list) else part


def validate(record):
    """Hold a record against the published schema, with a validator of somebody else's."""
    published = json.loads(PUBLISHED.read_text())
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(closed(published), format_checker=checker).validate(record)


def outcomes(record):
    return {job["service"]: job["outcome"] for job in record["jobs"]}


def test_the_published_schema_is_the_one_that_is_made(capsys):
    assert run(["runs", "schema"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text()
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        validate({**json.loads(read_example()), "more": 1})


def read_example():
    at = "2026-11-02T06:00:00.000Z"
    return json.dumps(
        {**dict.fromkeys(schema()["required"]), "format": 2, "fleetslo": "0.1.0", "run_id": "r", "trigger": "manual",
         "attempt": 1, "as_of": "", "outcome": "ok", "started_at": at, "duration_s": 0, "questions": [],
         "reports": [], "planned": {}, "jobs": []}
    )  # fmt: skip


def test_a_run_that_breaks_off_before_its_plan_says_what_it_was_to_make(own, monkeypatch):
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{own.folder / 'gone'}")
    before = datetime.now(UTC).date()
    assert run(["run", "--trigger", "export", "--as-of", "today"]) == 11
    record = own.newest
    validate(record)
    assert (record["outcome"], record["reports"], record["planned"]) == ("failed", ["one"], {})
    assert record["as_of"] in {before.isoformat(), datetime.now(UTC).date().isoformat()}
    assert runs_of(own.home, ["one"]) == [record["run_id"]]
    (lost,) = read_batch(own.home, [record["run_id"]], "").failed
    assert lost.says.startswith("its batch failed as a whole; WarehouseMissing: there is no")


def test_records_of_runs_that_went_well_and_badly_are_as_the_schema_says(own, capsys):
    # 1. Two of four fail.
    own.bad("payments-gateway", "playlist-indexer")
    assert run(["run", "--trigger", "backfill", "--attempt", "3"]) == 51
    bad = own.newest
    validate(bad)
    assert (bad["outcome"], bad["trigger"], bad["attempt"]) == ("failed", "backfill", 3)
    assert len(bad["jobs"]) == 4
    assert bad["reports"] == list(bad["planned"]) == [job["entry"] for job in bad["jobs"][:1]]
    assert [name for name, one in outcomes(bad).items() if one != "ok"] == [
        "payments-gateway",
        "playlist-indexer",
    ]
    assert SECRET not in json.dumps(bad)
    job = bad["jobs"][0]
    assert job["parameters"]["key"] == "${KEY}"
    assert [one["kind"] for one in job["artefacts"]] == ["notebook", "page"]
    for one in [one for job in bad["jobs"] for one in job["artefacts"]]:
        content = (own.home / one["path"]).read_bytes()
        assert len(content) == one["size_bytes"]
        told = subprocess.run(
            ["sha256sum"], input=content, capture_output=True, check=True
        ).stdout.split()[0]
        assert told.decode() == one["sha256"]
    assert bad["data"]["fingerprint"]
    tables = {one["table"]: one["newest_at"] for one in bad["data"]["tables"]}
    assert tables["requests"] < bad["data"]["complete_until"]
    failed = next(job for job in bad["jobs"] if job["service"] == "payments-gateway")
    assert [one["kind"] for one in failed["artefacts"]] == ["notebook", "error page"]
    assert failed["failure"]["message"] == "no payments-gateway, ••••"

    # 2. Only what failed is made again, and is good now.
    own.ran()
    own.bad()
    assert run(["run", "--failed"]) == 0
    mended = own.newest
    validate(mended)
    assert own.ran() == ["payments-gateway", "playlist-indexer"]
    assert outcomes(mended) == {"payments-gateway": "ok", "playlist-indexer": "ok"}
    assert mended["as_of"] == bad["as_of"]

    # 3. What is shown, and what differs.
    capsys.readouterr()
    assert run(["runs"]) == 0
    rows = capsys.readouterr().out.splitlines()
    ids = [bad["run_id"], mended["run_id"]]
    found = {line.split()[0]: line for line in rows if line.split() and line.split()[0] in ids}
    assert "backfill, attempt 3" in found[ids[0]]
    assert re.search(r"failed +2 +2 +0 ", found[ids[0]])
    assert re.search(r"ok +2 +0 +0 ", found[ids[1]])
    assert run(["runs", "show", ids[0], "--report", "one/payments-gateway"]) == 0
    assert "cell 3: ValueError: no payments-gateway, ••••" in capsys.readouterr().out
    assert run(["runs", "show", ids[0]]) == 0
    shown = capsys.readouterr().out
    assert shown.index("one/payments-gateway") < shown.index(job["page"])
    assert "failures/" in shown
    assert run(["runs", "show", ids[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == bad
    assert run(["runs", "diff", *ids]) == 0
    told = capsys.readouterr().out
    assert re.search(r"one/payments-gateway: outcome +failed +ok", told)
    assert re.search(rf"{job['page']} +ok +–", told)
    assert re.search(r"trigger +backfill +manual", told)


@pytest.mark.long
def test_what_is_taken_over_says_from_which_run_until_anything_changes(own, tiny, monkeypatch):
    # A report with a secret has no key, and is never taken over.
    own.schedule("{notebook: reports/one, for_each: service}")
    shutil.copytree(tiny / "warehouse", own.folder / "warehouse")
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{own.folder / 'warehouse'}")
    assert run(["run"]) == 0
    first = own.newest
    assert len(own.ran()) == 4
    assert run(["run"]) == 0
    reused = own.newest
    validate(reused)
    assert own.ran() == []
    assert {job["reused_from"] for job in reused["jobs"]} == {first["run_id"]}
    assert reused["publication"] == {"release": first["run_id"], "store": None}
    assert run(["run", "--again", "--only", "one/checkout"]) == 0
    again = own.newest
    assert own.ran() == ["checkout"]
    assert {job["reused_from"] for job in again["jobs"]} == {None}
    assert again["publication"]["release"] == again["run_id"]
    # The row is of a service of its own, and yet every page is new: what a notebook reads of others
    # (the fleet's rank, say) cannot be told from outside of it.
    (own.folder / "services.csv").write_text(
        "service,squad,system,tier,language,framework,lifecycle,oncall_timezone,valid_from,valid_to\n"
        "shop,Shop,store,1,java,apollo,production,Europe/Stockholm,2026-01-01T00:00:00Z,\n"
    )
    assert run(["warehouse", "load", "services", str(own.folder / "services.csv")]) == 0
    assert run(["run"]) == 0
    changed = own.newest
    assert len(own.ran()) == 5
    assert changed["data"]["fingerprint"] != reused["data"]["fingerprint"]


RUN = "import sys; from fleetslo.cli import run; sys.exit(run(sys.argv[1:]))"


def wait_for(met):
    until = time.monotonic() + 120
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(signal.SIGINT, "cancelled"), (signal.SIGKILL, "killed")],
)
@pytest.mark.long
def test_a_run_that_was_stopped_says_what_was_done_by_then(own, number, outcome):
    own.slow("playlist-indexer")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "run", "--jobs", "2"],
        env={**os.environ, **own.environ}, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(lambda: len(list(own.folder.glob("*.ran"))) == 4)
    wait_for(lambda: list(outcomes(own.newest).values()).count("ok") == 3)
    process.send_signal(number)
    process.communicate(timeout=60)
    own.slow()
    assert run(["run"]) == 0  # it calls a killed one so
    (stopped,) = [
        one
        for one in (json.loads(path.read_text()) for path in own.home.glob("runs/*/manifest.json"))
        if one["outcome"] != "ok"
    ]
    validate(stopped)
    assert stopped["outcome"] == outcome
    assert stopped["ended_at"] == stopped["written_at"]
    left = "cancelled" if outcome == "cancelled" else None
    assert outcomes(stopped)["playlist-indexer"] == left
    assert set(outcomes(stopped).values()) == {"ok", left}


def test_a_run_that_never_came_to_its_reports_says_why(own, monkeypatch, capsys):
    own.schedule("{notebook: reports/nil}")
    assert run(["run", "--trigger", "schedule"]) == 23
    validate(own.newest)
    assert (own.newest["outcome"], own.newest["failure"]["error"]) == ("failed", "UnknownNotebook")
    assert "schedule.yaml: line 2: report 1 (reports/nil)" in own.newest["failure"]["message"]
    own.schedule("{notebook: reports/one}")
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{own.folder / 'gone'}")
    assert run(["run"]) == 11
    assert own.newest["failure"]["error"] == "WarehouseMissing"
    before = run_ids(own.home)
    assert len(before) == 2
    assert run(["run", "--only", "reports/oen"]) == 11
    capsys.readouterr()
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", own.environ["FLEETSLO_WAREHOUSE"])
    assert run(["run", "--only", "reports/oen"]) == 23
    assert len(run_ids(own.home)) == 3  # mistyped: no run
    assert run(["run", "--trigger", "nonsense"]) == run(["run", "--attempt", "0"]) == 2


# Reading


def test_a_run_goes_by_its_name_the_beginning_of_it_or_as_the_latest(tmp_path):
    with pytest.raises(UnknownName, match="nothing has run in"):
        find_run(tmp_path, "latest")
    write_record(tmp_path, "20261101T060000Z-aaaa", [])
    with pytest.raises(UnknownName, match="20261101T060000Z-aaaa is the only run"):
        find_run(tmp_path, "previous")
    for name in ("20261102T060000Z-bbbb", "20261102T070000Z-cccc"):
        write_record(tmp_path, name, [])
    assert find_run(tmp_path, "previous") == "20261102T060000Z-bbbb"
    assert find_run(tmp_path, "latest") == "20261102T070000Z-cccc"
    assert find_run(tmp_path, "20261101") == "20261101T060000Z-aaaa"
    assert find_run(tmp_path, "20261102T060000Z-bbbb") == "20261102T060000Z-bbbb"
    with pytest.raises(UnknownName, match=r"2 runs .* begin with '20261102'.*cccc, .*bbbb; write"):
        find_run(tmp_path, "20261102")
    for name in ("", "../x", "20261102T060000Z-bbbc"):
        with pytest.raises(UnknownName, match="The newest is 20261102T070000Z-cccc"):
            find_run(tmp_path, name)
    with pytest.raises(UnknownName, match="Did you mean '20261102T060000Z-bbbb'"):
        find_run(tmp_path, "20261102T060000Z-bbbc")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read (Expecting property name"),
        ("[]", "cannot be read (it is no object)"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": 3}', "written by another fleetslo, in format 3; upgrade"),
        ('{"format": 2, "run_id": 7}', "cannot be read (fleetslo: Field required)"),
        ('{"format": 1, "jobs": 7}', "cannot be read"),
        ('{"format": 1, "jobs": [7]}', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_damaged_record_is_one_line_of_the_list(tmp_path, monkeypatch, capsys, text, says):
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    write_record(tmp_path, "20261101T060000Z-aaaa", [{"page": "a", "outcome": "ok"}])
    path = tmp_path / "runs" / "20261102T060000Z-bbbb" / "manifest.json"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run(["runs", "list"]) == 0
    told = capsys.readouterr()
    assert re.search(r"20261102T060000Z-bbbb .*unreadable", told.out)
    assert re.search(r"20261101T060000Z-aaaa .*ok +1 +0", told.out)
    assert told.err.startswith(f"fleetslo: {path}: ")
    assert says in told.err
    assert read_record(tmp_path, "20261102T060000Z-bbbb") is None
    assert run(["runs", "show", "20261102"]) == OutputError.exit_code


OLD = {
    "format": 1, "fleetslo": "0.1.0", "run_id": "20261001T060000Z-0001", "as_of": "2026-10-01",
    "outcome": "failed", "started_at": "2026-10-01T06:00:00Z", "ended_at": "2026-10-01T06:01:00Z",
    "duration_s": 60.0, "release": "20261001T060000Z-0001", "planned": {"one": 2},
    "questions": [{"name": "fleet/seen", "start": "a", "end": "b", "digest": "c", "rows": 1, "duration_s": 0.1,
                   "report": "", "bytes_read": 10, "cached": False, "job_id": "j"}],
    "jobs": [
        {"entry": "one", "key": "", "page": "one/a", "path": "p/one/a.html", "notebook": "reports/one",
         "service": "a", "squad": None, "period": "2026-09-03/2026-10-01", "parameters": {}, "outcome": "failed",
         "reused_from": None, "duration_s": 1.0, "cell_durations_s": [None, 1.0], "peak_memory_bytes": None,
         "executed": None, "verdict": None, "headline": {},
         "failure": {"cell": 3, "line": None, "error": "E", "message": "m", "traceback": []}},
        {"entry": "one", "key": "", "page": "one/b", "path": "p/one/b.html", "notebook": "reports/one",
         "service": "b", "squad": None, "period": "", "parameters": {}, "outcome": None},
    ],
}  # fmt: skip


def test_a_record_of_format_1_is_understood(tmp_path):
    path = tmp_path / "runs" / OLD["run_id"] / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(OLD))
    record = read_run(tmp_path, OLD["run_id"])
    validate(json.loads(record.model_dump_json()))
    assert record.publication is not None
    assert record.publication.release == OLD["release"]
    assert record.bytes_read == 10
    interval = record.jobs[0].interval
    assert interval is not None
    assert interval.start == datetime(2026, 9, 3, tzinfo=UTC)
    assert [job.page for job in record.missed] == ["one/a", "one/b"]
    path.write_text(json.dumps({**OLD, "outcome": "running", "ended_at": None}))
    assert read_run(tmp_path, OLD["run_id"]).outcome == "killed"


# Comparing


def test_what_differs_between_two_runs(tmp_path):
    host = {
        "name": "h",
        "python": "3.11.7",
        "cpu_count": 2,
        "versions": {"polars": "2.1", "gone": "1"},
    }
    data = {"warehouse": "duckdb:///w", "fingerprint": "f" * 64,
            "tables": [{"table": "requests", "newest_at": "2026-11-01T23:59:00Z"}]}  # fmt: skip
    good = {
        "outcome": "ok",
        "verdict": "met",
        "headline": {"sli": 0.999},
        "notebook_sha256": "a" * 64,
    }
    jobs = [
        {"page": "same", "entry": "same", "duration_s": 10.0, **good},
        {"page": "slower", "entry": "slower", "duration_s": 10.0, **good},
        {"page": "worse", "entry": "worse", "duration_s": 1.0, **good},
        {"page": "gone", "entry": "gone", **good},
    ]
    before = write_record(
        tmp_path, "1", jobs, host=host, data=data, code_sha256="c" * 64, duration_s=20.0
    )
    assert changes(before, before) == []
    later = deepcopy(jobs)
    later[0]["duration_s"] = 11.9  # (11.9 - 10) / 10 = 0.19: not worth telling
    later[1]["duration_s"] = 12.0  # (12 - 10) / 10 = 0.20
    later[2] |= {"verdict": "missed", "headline": {"sli": 0.9}, "parameters": {"n": 2, "as_of": "x"},
                 "notebook_sha256": "b" * 64}  # fmt: skip
    later[3] = {"page": "new", "outcome": "failed", "failure": {"error": "E", "message": "m"}}
    host = {**host, "versions": {"polars": "2.2", "new": "1"}}
    data = {
        **data,
        "fingerprint": "e" * 64,
        "tables": [{"table": "requests", "newest_at": "2026-11-02T23:59:00Z"}],
    }
    after = write_record(
        tmp_path, "2", later, host=host, data=data, code_sha256="d" * 64, duration_s=16.0, outcome="failed"
    )  # fmt: skip
    assert changes(before, after) == [
        Change("run", "outcome", "ok", "failed"),
        Change("run", "code", "c" * 12, "d" * 12),
        Change("run", "duration", "20.0 s", "16.0 s"),  # (16 - 20) / 20 = -0.2
        Change("version", "polars", "2.1", "2.2"),
        Change("version", "gone", "1", None),
        Change("version", "new", None, "1"),
        Change("data", "stored data", "f" * 12, "e" * 12),
        Change("data", "requests until", "2026-11-01 23:59", "2026-11-02 23:59"),
        Change("report", "worse: notebook", "a" * 12, "b" * 12),
        Change("report", "worse: verdict", "met", "missed"),
        Change("report", "worse: parameter n", None, 2),
        Change("report", "worse: sli", 0.999, 0.9),
        Change("report", "gone", "ok", None),
        Change("report", "new", None, "failed"),
        Change("report", "slower: duration", "10.0 s", "12.0 s"),
    ]


def test_what_a_whole_report_has_in_common_is_told_once(tmp_path):
    def of(entry, *durations_s):
        return [
            {"page": f"{entry}/{n}", "entry": entry, "outcome": "ok", "duration_s": took}
            for n, took in enumerate(durations_s)
        ]

    both = of("both", 1.0, 2.0, 3.0), of("both", 1.0, 4.0, 4.0)
    few = write_record(tmp_path, "1", [*both[0], *of("squads", 1.0, 1.0), *of("fleet", 1.0)])
    more = write_record(tmp_path, "2", [*both[1], *of("late", 1.0, 1.0, 1.0)])
    assert changes(few, more) == [
        Change("report", "squads", "2 pages", None),
        Change("report", "late", None, "3 pages"),
        Change("report", "fleet/0", "ok", None),
        Change("report", "both: duration, median of 3 pages", "2.0 s", "4.0 s"),
    ]


# Pruning


def test_of_fifty_runs_those_that_may_go_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    now = datetime.now(UTC)
    names = []
    for days in range(50):  # the youngest ended 23 hours ago, the oldest 49 days more
        ended = now - timedelta(days=days, hours=23)
        name = f"{ended:%Y%m%dT%H%M%SZ}-{days:04x}"
        write_record(tmp_path, name, [], planned={"one": 1} if days == 45 else {})
        (tmp_path / "told").mkdir(exist_ok=True)
        (tmp_path / "told" / f"{name}.json").write_text("{}")
        for path in (tmp_path / "runs" / name / "manifest.json", tmp_path / "runs" / name):
            os.utime(path, (ended.timestamp(), ended.timestamp()))
        names.append(name)
    shown, runs = names[48], names[47]
    release = tmp_path / "site" / "releases" / shown
    release.mkdir(parents=True)
    (release / "site.json").write_text('{"format": 1, "pages": [], "services": {}}')
    (tmp_path / "site" / "current").symlink_to(release)
    executed = tmp_path / "executed"
    executed.mkdir()
    for name, days in (("old", 36), ("young", 34)):
        (executed / f"{name}.ipynb").touch()
        at = (now - timedelta(days=days)).timestamp()
        os.utime(executed / f"{name}.ipynb", (at, at))
    lock = tmp_path / "runs" / runs / ".lock"
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); input()",
         str(lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    # Older than 30 days are those of days 30 to 49; the newest batch, the shown and the live stay.
    expected = [name for name in names[30:] if name not in {names[45], shown, runs}]
    try:
        assert run(["runs", "prune", "--older-than", "30d", "--dry-run"]) == 0
        told = capsys.readouterr().out
        assert "17 runs of " in told
        assert "would be removed" in told
        assert len(run_ids(tmp_path)) == 50
        assert run(["runs", "prune", "--older-than", "30d"]) == 0
        assert set(run_ids(tmp_path)) == set(names) - set(expected)
        assert len(list((tmp_path / "told").iterdir())) == 33
        assert [path.name for path in executed.iterdir()] == ["young.ipynb"]
    finally:
        holder.communicate("\n", timeout=30)
    assert run(["runs", "prune", "--older-than", "1h"]) == 0
    assert set(run_ids(tmp_path)) == {names[0], names[45], shown}  # the newest of all stays
    capsys.readouterr()
    assert run(["runs", "prune"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
