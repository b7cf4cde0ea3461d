"""``fleetslo tell``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from fleetslo.commands.screen import complain, say

if TYPE_CHECKING:
    from fleetslo.reports.telling.recipients import Recipients
    from fleetslo.reports.telling.telling import Notice


def tell(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="the runs of a batch; default: the newest run"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="the runs, shards and attempts that made this report; may be repeated"),
    ] = None,
    as_of: Annotated[
        str, typer.Option(help="those for this day, or 'today'; default: the newest with --only")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what would be sent, and send nothing")
    ] = False,
    lost: Annotated[
        list[str] | None, typer.Option(hidden=True, help="a report that came to nothing")
    ] = None,
) -> None:
    """Tell the people in notebooks/recipients.yaml what a batch found, once each."""
    from fleetslo.errors import UsageError
    from fleetslo.reports.records.reading import LATEST, find_run
    from fleetslo.reports.schedule import choose, read_schedule
    from fleetslo.reports.scheduling.planning import day_of
    from fleetslo.reports.telling.reading import runs_of
    from fleetslo.settings import load_settings

    home = load_settings().settings.home
    recipients = required()
    if runs and (only or as_of):
        raise UsageError("name runs, or choose them with --only and --as-of; not both")
    if only or as_of:
        entries = choose(read_schedule(), only=only or ())
        runs = runs_of(home, [entry.name for entry in entries], day_of(as_of, entries))
        if not runs:
            say("no run has made these reports for that day; there is nothing to tell")
            return
    if not lost:
        runs = [find_run(home, one) for one in runs or [LATEST]]
    tell_of(recipients, runs or (), lost=lost or (), dry_run=dry_run)


def required() -> "Recipients":
    """Return who is told.

    Raises:
        SettingsError: the project does not say.
    """
    from fleetslo.errors import SettingsError
    from fleetslo.reports.telling.recipients import read_recipients

    recipients = read_recipients()
    if recipients is None:
        raise SettingsError(
            "there is no notebooks/recipients.yaml in this project; write one to say who is told "
            "what (README, 'Tell people')"
        )
    return recipients


def tell_of(
    recipients: "Recipients",
    runs: Sequence[str],
    *,
    lost: Sequence[str] = (),
    dry_run: bool = False,
) -> None:
    """Tell people of the runs of a batch, and say who was told.

    Raises:
        OutputError: a message could not be sent; the others were.
    """
    from fleetslo.errors import OutputError
    from fleetslo.reports.schedule import read_schedule
    from fleetslo.reports.telling.telling import tell as tell_all
    from fleetslo.settings import load_settings

    meant = {entry.name: entry.tell for entry in read_schedule()}
    notices = tell_all(
        load_settings().settings, recipients, runs, lost=lost, meant=meant, dry_run=dry_run
    )
    for notice in notices:
        _show(notice, recipients)
    failed = [notice for notice in notices if notice.state == "failed"]
    if failed:
        lines = [f"  {one.recipient} ({one.channel}): {one.says}" for one in failed]
        raise OutputError("\n".join([f"{len(failed)} messages could not be sent", *lines]))
    if not notices:
        say("there is nothing to tell anybody")


@contextmanager
def told_afterwards(run_id: str, only: Sequence[str], every: str | None) -> Iterator[None]:
    """Tell people of a run when the block has ended, well or badly, but not when it was stopped.

    A message that cannot be sent is named, and changes nothing about the run.

    Raises:
        SettingsError: before the block: the project does not say who is told.
    """
    from fleetslo.errors import Cancelled, FleetsloError, NotebookFailed
    from fleetslo.reports.schedule import choose, read_schedule

    recipients = required()
    entries = choose(read_schedule(), every=every, only=only)

    def now(lost: Sequence[str] = ()) -> None:
        try:
            tell_of(recipients, [run_id], lost=lost)
        except FleetsloError as error:
            complain(f"{error}\n'fleetslo tell {run_id}' tries again")

    try:
        yield
    except Cancelled:
        raise
    except NotebookFailed:
        now()
        raise
    except FleetsloError:
        now([entry.name for entry in entries])
        raise
    now()


def _show(notice: "Notice", recipients: "Recipients") -> None:
    from fleetslo.reports.telling import mail

    if notice.state == "dry":
        one = recipients.recipients[notice.recipient]
        where = ", ".join(one.email) if notice.channel == "email" else "its webhook"
        say(f"To {notice.recipient} ({where}): {notice.message.subject}\n")
        say(mail.as_text(notice.message))
    elif notice.state == "sent":
        say(f"{notice.recipient}: told by {notice.channel}")
    elif notice.state == "before":
        say(f"{notice.recipient}: was told by {notice.channel} before")
    elif notice.state == "perhaps":
        complain(
            f"{notice.recipient}: an earlier attempt by {notice.channel} broke off, and the "
            "message may have arrived; it is not sent again"
        )


def register(app: typer.Typer) -> None:
    """Add the command to the tool."""
    app.command()(tell)
