"""``fleetslo tell``."""

from typing import Annotated

import typer

from fleetslo.commands.screen import complain, say


def tell(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="the run to tell of; default: the newest")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what would be sent, and send nothing")
    ] = False,
) -> None:
    """Tell the people in notebooks/recipients.yaml what a run found, once each."""
    from fleetslo.errors import OutputError, SettingsError
    from fleetslo.reports.records.reading import LATEST, find_run
    from fleetslo.reports.telling import mail
    from fleetslo.reports.telling.recipients import read_recipients
    from fleetslo.reports.telling.telling import tell as tell_all
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    recipients = read_recipients()
    if recipients is None:
        raise SettingsError(
            "there is no notebooks/recipients.yaml in this project; write one to say who is told "
            "what (README, 'Tell people')"
        )
    run_id = find_run(settings.home, run_id or LATEST)
    notices = tell_all(settings, recipients, run_id, dry_run=dry_run)
    for notice in notices:
        if dry_run:
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
    failed = [notice for notice in notices if notice.state == "failed"]
    if failed:
        lines = [f"  {one.recipient} ({one.channel}): {one.says}" for one in failed]
        raise OutputError("\n".join([f"{len(failed)} messages could not be sent", *lines]))
    if not notices:
        say("the run has nothing to tell anybody")


def register(app: typer.Typer) -> None:
    """Add the command to the tool."""
    app.command()(tell)
