"""``fleetslo schedule`` and ``fleetslo backfill``."""

from contextlib import nullcontext
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import complain, say, table
from fleetslo.commands.warehouse import Address

app = typer.Typer(
    help="Run the reports of notebooks/schedule.yaml when they are due, until stopped.",
    invoke_without_command=True,
)


class MissedTimes(Enum):
    """What becomes of times that were missed."""

    latest = "latest"
    all = "all"
    skip = "skip"


class Engine(Enum):
    """What a schedule can be written for."""

    airflow = "airflow"
    kubernetes = "kubernetes"
    systemd = "systemd"
    cron = "cron"


AtOnce = Annotated[int, typer.Option(min=1, help="batches that run at once")]
RetryAfter = Annotated[
    float, typer.Option(min=0, help="seconds before what failed is tried again; doubles each time")
]
Limit = Annotated[
    str, typer.Option(metavar="TIME", help="a batch that takes longer, such as 90m, is ended")
]


def _limit_s(text: str) -> float:
    from fleetslo.errors import UsageError
    from fleetslo.reports.scheduling.entries import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"--limit {text!r} is no time; {error}") from None


def _flags(warehouse: str | None, jobs: int | None) -> list[str]:
    given = {"--warehouse": warehouse, "--jobs": jobs}
    return [
        word for name, value in given.items() if value is not None for word in (name, f"{value}")
    ]


@app.callback()
def schedule(
    context: typer.Context,
    missed: Annotated[
        MissedTimes, typer.Option(help="of times missed, run the latest, all of them, or none")
    ] = MissedTimes.latest,
    at_once: AtOnce = 1,
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="serve /healthz and /metrics; 9108 is loopback")
    ] = "",
    retry_after: RetryAfter = 60.0,
    limit: Limit = "12h",
    jobs: Annotated[int | None, typer.Option(help="notebooks run at once in a batch")] = None,
    warehouse: Address = None,
) -> None:
    """Run the reports of notebooks/schedule.yaml when they are due, until stopped.

    SIGTERM lets the batch that runs come to its end, a second one cancels it; SIGHUP reads the
    schedule again.
    """
    if context.invoked_subcommand:
        return
    from fleetslo.reports.scheduling.attempts import Attempts
    from fleetslo.reports.scheduling.daemon import Daemon
    from fleetslo.reports.scheduling.memory import Memory, alone
    from fleetslo.reports.scheduling.metrics import Metrics, listen_address, serving
    from fleetslo.reports.scheduling.past import last_successes
    from fleetslo.settings import load_settings

    limit_s = _limit_s(limit)
    settings = load_settings({"warehouse": warehouse, "jobs": jobs}).settings
    address = listen_address(metrics) if metrics else None
    figures = Metrics(last_successes(settings.home))
    with alone(settings.home):
        daemon = Daemon(
            Memory(settings.home),
            Attempts(
                settings.home,
                trigger="schedule",
                flags=_flags(warehouse, jobs),
                first_wait_s=retry_after,
                limit_s=limit_s,
                say=complain,
            ),
            settings.home,
            missed=missed.value,
            at_once=at_once,
            wait_s=retry_after,
            watcher=figures,
            say=complain,
        )

        def lengths() -> tuple[int, int]:
            return len(daemon.queue), daemon.queue.running

        with serving(figures, address, lengths) if address else nullcontext() as port:
            if address:
                complain(f"metrics on http://{address[0]}:{port}/metrics")
            daemon.run()
    complain("stopped")


@app.command()
def export(
    to: Annotated[Engine, typer.Option(help="the engine to write it for")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="a folder for the files; default: shown")
    ] = None,
    shards: Annotated[
        int, typer.Option(min=1, max=1000, help="parts that a batch is cut into, one per machine")
    ] = 1,
    image: Annotated[
        str, typer.Option(help="the container image that Kubernetes starts")
    ] = "fleetslo:latest",
    project: Annotated[
        str, typer.Option(help="the project folder on the machine that runs it")
    ] = "/srv/fleetslo",
) -> None:
    """Write the schedule for another engine: the same reports at the same times."""
    from fleetslo.files import folder, write_file
    from fleetslo.reports.schedule import read_schedule
    from fleetslo.reports.scheduling.exports.files import files_for
    from fleetslo.reports.scheduling.exports.parts import Surroundings
    from fleetslo.reports.scheduling.groups import groups_of
    from fleetslo.reports.telling.recipients import read_recipients

    groups = groups_of(read_schedule())
    tells = read_recipients() is not None
    files = files_for(to.value, groups, Surroundings(project, image, shards, tells))
    for name, text in files.items():
        if output is None:
            say(f"# {name}\n{text}")
        else:
            say(str(write_file(folder(output) / name, text)))


@app.command("show")
def show() -> None:
    """Show the reports of notebooks/schedule.yaml and when each is due next."""
    from datetime import UTC, datetime

    from fleetslo.reports.schedule import read_schedule
    from fleetslo.reports.scheduling.groups import groups_of

    now = datetime.now(UTC)
    rows = [
        (entry.name, entry.timing.cron, entry.zone, f"{entry.timing.after(now):%Y-%m-%d %H:%M %Z}")
        for group in groups_of(read_schedule())
        for entry in group.entries
    ]
    table(["report", "cron", "zone", "due next"], rows)


def backfill(
    first: Annotated[str, typer.Option("--from", help="the first day, such as 2026-09-01")],
    last: Annotated[str, typer.Option("--to", help="the last day, itself included")],
    only: Annotated[
        list[str] | None, typer.Option(help="only this report; may be repeated")
    ] = None,
    at_once: AtOnce = 1,
    again: Annotated[bool, typer.Option("--again", help="also what was made before")] = False,
    retry_after: RetryAfter = 60.0,
    limit: Limit = "12h",
    jobs: Annotated[int | None, typer.Option(help="notebooks run at once in a batch")] = None,
    warehouse: Address = None,
) -> None:
    """Run the schedule for the days of a stretch of time, those that were not run yet."""
    from fleetslo.reports.schedule import read_schedule
    from fleetslo.reports.scheduling.attempts import Attempts
    from fleetslo.reports.scheduling.backfill import Stretch, due_days
    from fleetslo.reports.scheduling.backfill import backfill as fill
    from fleetslo.settings import load_settings

    limit_s = _limit_s(limit)
    settings = load_settings({"warehouse": warehouse, "jobs": jobs}).settings
    wanted = due_days(read_schedule(), Stretch.parse(first, last), only or ())
    if not wanted:
        say("nothing is scheduled on these days")
        return
    attempts = Attempts(
        settings.home,
        trigger="backfill",
        flags=_flags(warehouse, jobs),
        first_wait_s=retry_after,
        limit_s=limit_s,
        say=complain,
    )
    ended = fill(wanted, attempts, settings.home, at_once=at_once, again=again, say=complain)
    say(f"{len(ended)} batches were run")


def register(root: typer.Typer) -> None:
    """Add the commands to the tool."""
    root.add_typer(app, name="schedule")
    root.command()(backfill)
