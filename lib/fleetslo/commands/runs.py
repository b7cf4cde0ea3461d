"""``fleetslo runs``: which runs there were, what each did, what differs, pruning."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleetslo.commands.screen import bytes_text, complain, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleetslo.reports.records.model import Artefact, JobRecord, QuestionRecord, RunRecord

app = typer.Typer(
    help="The records of runs: which there were, what each did, and what differs between two.",
    invoke_without_command=True,
)
_MOST_JOBS = 50
_NAMED = "a run: its name, or as much of it as only one begins with; or 'latest', 'previous'"


@app.callback()
def _list_unless_told(context: typer.Context) -> None:
    """Take a command; without one, list."""
    if context.invoked_subcommand is None:
        list_runs()


@app.command("list")
def list_runs(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="how many are shown; 0 shows all")
    ] = 20,
) -> None:
    """List the runs, the newest first."""
    from fleetslo.errors import OutputError
    from fleetslo.reports.records.reading import read_run, run_ids
    from fleetslo.settings import load_settings

    home = load_settings().settings.home
    names = run_ids(home)
    if not names:
        say(f"nothing has run in {home} yet; 'fleetslo run' makes the reports")
        return
    rows: list[Sequence[object]] = []
    damaged = []
    for name in names[: limit or None]:
        try:
            rows.append(_row(read_run(home, name)))
        except OutputError as error:
            rows.append((name, None, None, None, "unreadable", None, None, None, None, None))
            damaged.append(str(error))
    columns = ["run", "started (UTC)", "trigger", "as of", "outcome"]
    table([*columns, "ok", "failed", "reused", "took", "read"], rows, numeric=5)
    if len(names) > len(rows):
        say(f"{len(rows)} of {len(names)} runs; --limit 0 shows all")
    for line in damaged:
        complain(line)


def _row(record: "RunRecord") -> tuple[object, ...]:
    bad = [job for job in record.missed if job.outcome is not None]
    return (
        record.run_id,
        _minute(record.started_at),
        record.trigger if record.attempt == 1 else f"{record.trigger}, attempt {record.attempt}",
        record.as_of or None,
        record.outcome,
        len(record.jobs) - len(record.missed),
        len(bad),
        sum(job.reused_from is not None for job in record.jobs),
        _took(record.duration_s),
        _size(record.bytes_read),
    )


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help=_NAMED)] = "latest",
    report: Annotated[
        str, typer.Option(help="only this report: its cells, its files, why it failed")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="every report and file")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the record as it is stored")] = False,
) -> None:
    """Show what a run did: the reports that failed first, what was asked, what came of it."""
    from fleetslo.reports.records.reading import find_run, read_run
    from fleetslo.settings import load_settings

    home = load_settings().settings.home
    record = read_run(home, find_run(home, run))
    if as_json:
        say(record.model_dump_json(indent=1))
        return
    if report:
        _show_job(_job_named(record, report))
        return
    table(["run", record.run_id], _facts(record))
    jobs = [*record.missed, *(job for job in record.jobs if job.outcome == "ok")]
    shown = jobs if everything else jobs[: max(_MOST_JOBS, len(record.missed))]
    if shown:
        columns = ["report", "outcome", "verdict", "took", "slowest cell", "memory", "why"]
        table(columns, [_job_row(job) for job in shown])
    if len(jobs) > len(shown):
        say(f"{len(shown)} of {len(jobs)} reports; --all shows every one")
    if record.questions:
        columns = [
            "question",
            "from",
            "to",
            "first needed by",
            "job",
            "rows",
            "took",
            "read",
            "billed",
        ]
        table(columns, [_question_row(one) for one in record.questions], numeric=4)
    files = [one for job in record.jobs for one in job.artefacts]
    failing = [one for job in record.missed for one in job.artefacts]
    if listed := files if everything else failing:
        table(["kind", "file", "size"], [_file_row(one) for one in listed], numeric=1)
    if files:
        say(f"{len(files)} files of {bytes_text(sum(one.size_bytes for one in files))} in {home}")


def _job_named(record: "RunRecord", name: str) -> "JobRecord":
    from fleetslo.errors import UnknownName, nearest

    pages = {job.page: job for job in record.jobs}
    if name not in pages:
        raise UnknownName(
            f"run {record.run_id} has no report {name!r}.{nearest(name, list(pages))} "
            "'fleetslo runs show' lists them"
        )
    return pages[name]


def _show_job(job: "JobRecord") -> None:
    facts: list[tuple[str, object]] = [
        ("outcome", job.outcome or "had not ended"),
        ("reused from", job.reused_from),
        ("notebook", job.notebook),
        (
            "covers",
            job.interval and f"{_minute(job.interval.start)} to {_minute(job.interval.end)}",
        ),
        ("parameters", ", ".join(f"{name}={value}" for name, value in job.parameters.items())),
        ("verdict", job.verdict),
        ("took", _took(job.duration_s)),
        ("memory", _size(job.peak_memory_bytes)),
        *((name, value) for name, value in job.headline.items()),
    ]
    table(["report", job.page], [(name, value) for name, value in facts if value])
    cells = [(place, f"{took:.2f}") for place, took in enumerate(job.cell_durations_s, 1) if took]
    if cells:
        table(["cell", "seconds"], cells, numeric=2)
    if job.failure is not None:
        say(_why(job))
        say("\n".join(job.failure.traceback))
    if job.artefacts:
        table(["kind", "file", "size"], [_file_row(one) for one in job.artefacts], numeric=1)


def _facts(record: "RunRecord") -> list[tuple[str, object]]:
    data, host, shown = record.data, record.host, record.publication
    facts: list[tuple[str, object]] = [
        ("outcome", record.outcome),
        ("why", record.failure and f"{record.failure.error}: {record.failure.message}"),
        ("began by", f"{record.trigger}, attempt {record.attempt}"),
        ("as of", record.as_of),
        ("started (UTC)", _minute(record.started_at)),
        ("took", _took(record.duration_s)),
        ("reports", f"{len(record.jobs) - len(record.missed)} of {len(record.jobs)} made"),
        ("published", shown and shown.release),
        ("shown at", shown and shown.store),
        ("data complete until", data and _minute(data.complete_until)),
        ("warehouse", data and data.warehouse),
        ("code", record.code_sha256 and record.code_sha256[:12]),
        ("versions", record.lock_sha256 and record.lock_sha256[:12]),
        ("fleetslo", record.fleetslo),
        ("on", host and f"{host.name}, Python {host.python}, {host.cpu_count} CPUs"),
    ]
    return [(name, value) for name, value in facts if value]


def _job_row(job: "JobRecord") -> tuple[object, ...]:
    timed = [(took, place) for place, took in enumerate(job.cell_durations_s, 1) if took]
    took, place = max(timed, default=(0.0, 0))
    return (
        job.page,
        job.outcome or "not ended",
        job.verdict,
        "reused" if job.reused_from else _took(job.duration_s),
        f"{place}: {_took(took)}" if place else None,
        _size(job.peak_memory_bytes),
        _why(job) or None,
    )


def _why(job: "JobRecord") -> str:
    """Return why a job failed, in one line."""
    failure = job.failure
    if failure is None:
        return ""
    cell = f"cell {failure.cell}: " if failure.cell else ""
    return " ".join(f"{cell}{failure.error}: {failure.message}".split())[:300].rstrip(": ")


def _question_row(one: "QuestionRecord") -> tuple[object, ...]:
    return (
        one.name,
        one.start[:16],
        one.end[:16],
        one.page or "all",
        one.job_id,
        f"{one.rows:,}",
        _took(one.duration_s),
        "from the cache" if one.cached else _size(one.bytes_read),
        _size(one.bytes_billed),
    )


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="RUN", help=_NAMED)] = "previous",
    after: Annotated[str, typer.Argument(metavar="RUN", help=_NAMED)] = "latest",
) -> None:
    """Say what differs between two runs: code, versions, data, verdicts, numbers, durations."""
    from fleetslo.reports.records.changes import changes
    from fleetslo.reports.records.reading import find_run, read_run
    from fleetslo.settings import load_settings

    home = load_settings().settings.home
    one, other = (read_run(home, find_run(home, name)) for name in (before, after))
    found = changes(one, other)
    if not found:
        say(f"nothing that counts differs between {one.run_id} and {other.run_id}")
        return
    rows = [(change.what, change.before, change.after) for change in found]
    table(["what", one.run_id, other.run_id], rows)


@app.command()
def schema() -> None:
    """Print the JSON schema of a run's manifest.json."""
    import json

    from fleetslo.reports.records.model import schema as made

    say(json.dumps(made(), indent=2))


@app.command()
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            help="those that ended longer ago than this, such as 90d or 12w; default: setting "
            "keep_runs_days"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would go, and remove nothing")
    ] = False,
) -> None:
    """Remove what runs of long ago left; the newest, and what is published, stays."""
    from datetime import UTC, datetime, timedelta

    from fleetslo.periods import Period
    from fleetslo.reports.records.pruning import prune_runs
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    now = datetime.now(UTC)
    age = timedelta(days=settings.keep_runs_days)
    if older_than is not None:
        age = Period.parse(older_than, as_of=now).length
    gone = prune_runs(settings.home, age, now, dry_run=dry_run)
    if gone:
        rows = [(one.run_id, _minute(one.ended_at), bytes_text(one.size_bytes)) for one in gone]
        table(["run", "ended (UTC)", "size"], rows, numeric=1)
    size = bytes_text(sum(one.size_bytes for one in gone))
    verb = "would be removed" if dry_run else "removed"
    say(f"{len(gone)} runs of {size} {verb}" if gone else "nothing to remove")


def _file_row(one: "Artefact") -> tuple[str, str, str]:
    return one.kind, one.path, bytes_text(one.size_bytes)


def _minute(moment: "datetime | None") -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _took(seconds: float | None) -> str | None:
    from fleetslo.charts import words

    if seconds is None:
        return None
    if seconds < 10:
        return f"{seconds:.1f} s"
    return words.duration(seconds).replace(words.THIN, " ")


def _size(count: int | None) -> str | None:
    return None if count is None else bytes_text(count)
