"""Telling people of a run: whoever ``recipients.yaml`` names, once each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from fleetslo.errors import FleetsloError
from fleetslo.published import read_published_numbers
from fleetslo.reports.page import Page
from fleetslo.reports.records.model import JobRecord
from fleetslo.reports.records.reading import find_run, read_run
from fleetslo.reports.site import read_published
from fleetslo.reports.telling import ledger, mail, slack
from fleetslo.reports.telling.messages import Batch, Failed, Message, message_for
from fleetslo.reports.telling.recipients import Recipient, Recipients, resolved
from fleetslo.settings import Settings

Channel = Literal["email", "webhook"]


@dataclass(frozen=True)
class Notice:
    """One message to one recipient over one channel, and what became of it.

    ``state`` is ``sent``, ``failed`` (``says`` has the reason), ``before`` (sent earlier),
    ``perhaps`` (a process died while it was being sent, and it is not sent again) or ``dry``.
    """

    recipient: str
    channel: Channel
    message: Message
    state: str
    says: str = ""


def tell(
    settings: Settings,
    recipients: Recipients,
    run_id: str,
    *,
    dry_run: bool = False,
    environ: Mapping[str, str] | None = None,
) -> list[Notice]:
    """Tell every recipient of a run what it has for them, and return what became of each.

    A message that cannot be sent does not keep the others; it is tried again when this is asked
    again. Nothing is sent twice.

    Args:
        settings: where runs and site lie.
        recipients: who is told, and how.
        run_id: the run.
        dry_run: send nothing and write nothing down.
        environ: where secrets are found; this process's environment when None.

    Raises:
        UnknownName: there is no such run.
        OutputError: what was told cannot be written down.
    """
    batch = read_batch(settings.home, run_id, recipients.site)
    due = list(_due(batch, recipients))
    if dry_run:
        return [Notice(name, channel, message, "dry") for name, channel, message in due]
    notices = []
    with ledger.told(settings.home, run_id) as known:
        for name, channel, message in due:
            what = f"{name}/{channel}"
            state = known.entries.get(what)
            if state in (ledger.SENT, ledger.SENDING):
                said = "before" if state == ledger.SENT else "perhaps"
                notices.append(Notice(name, channel, message, said))
                continue
            known.note(what, ledger.SENDING)
            try:
                _send(channel, message, recipients, recipients.recipients[name], environ)
            except FleetsloError as error:
                known.note(what, ledger.FAILED)
                notices.append(Notice(name, channel, message, "failed", str(error)))
            else:
                known.note(what, ledger.SENT)
                notices.append(Notice(name, channel, message, "sent"))
    return notices


def _due(batch: Batch, recipients: Recipients) -> Iterator[tuple[str, Channel, Message]]:
    for name, one in recipients.recipients.items():
        about: Literal["squad", "fleet", "failures"] = (
            "failures" if one.failures else "fleet" if one.fleet else "squad"
        )
        message = message_for(batch, name, about, one.squad)
        if message is None:
            continue
        if one.email:
            yield name, "email", message
        if one.webhook:
            yield name, "webhook", message


def _send(
    channel: Channel,
    message: Message,
    recipients: Recipients,
    recipient: Recipient,
    environ: Mapping[str, str] | None,
) -> None:
    if channel == "webhook" and recipient.webhook is not None:
        slack.post(message, resolved(recipient.webhook, environ))
    elif recipients.smtp is not None:
        written = mail.written(message, recipients.sender, recipient.email)
        mail.send(written, recipients.smtp, environ)


def read_batch(home: Path, run_id: str, site: str) -> Batch:
    """Return what became of a run, from its manifest, the site and the ledger.

    Raises:
        UnknownName: there is no such run.
        OutputError: one of them is damaged.
    """
    record = read_run(home, find_run(home, run_id))
    numbers = read_published_numbers(home)
    return Batch(
        run_id=run_id,
        pages=_pages(home, run_id),
        failed=[_failed(job) for job in record.missed if job.outcome is not None],
        told=numbers.filter(pl.col("run_id") == run_id),
        before=numbers.filter(pl.col("run_id") < run_id),
        site=site,
    )


def _pages(home: Path, run_id: str) -> list[Page]:
    """Return the pages that a run published, as far as no later one has replaced them."""
    published = read_published(home / "site")
    return [page for page in published.pages if page.run_id == run_id]


def _failed(job: JobRecord) -> Failed:
    said, cell = "", ""
    if job.failure is not None:
        said = f"{job.failure.error}: {job.failure.message}".strip(": ")
        cell = f"cell {job.failure.cell}, " if job.failure.cell else ""
    return Failed(job.page, " ".join(f"{job.outcome}: {cell}{said}".split()).rstrip(": "))
