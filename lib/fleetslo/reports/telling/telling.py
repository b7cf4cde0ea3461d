"""Telling people of a batch: whoever ``recipients.yaml`` names, once each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fleetslo.errors import FleetsloError
from fleetslo.reports.telling import ledger, mail, slack
from fleetslo.reports.telling.messages import Batch, Message, message_for
from fleetslo.reports.telling.reading import read_batch
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
    run_ids: Sequence[str],
    *,
    lost: Sequence[str] = (),
    meant: Mapping[str, Sequence[str]] | None = None,
    dry_run: bool = False,
    environ: Mapping[str, str] | None = None,
) -> list[Notice]:
    """Tell every recipient of a batch what it has for them, and return what became of each.

    A message that cannot be sent does not keep the others; it is tried again when this is asked
    again. Nothing is sent twice of one run: of a batch of which a recipient has heard a part, the
    rest is told. Nor is a failure, while it stays the same.

    Args:
        settings: where runs and site lie.
        recipients: who is told, and how.
        run_ids: the runs of the batch, the oldest first: its attempts, or its shards.
        lost: reports that came to nothing; see ``read_batch``.
        meant: by the name of a report, for which recipients it is; see ``Recipients.hear``.
        dry_run: send nothing and write nothing down.
        environ: where secrets are found; this process's environment when None.

    Raises:
        UnknownName: there is no such run.
        SettingsError: a report is meant for somebody who is not there.
        OutputError: what was told cannot be written down.
    """
    recipients.check(meant or {})
    batch = read_batch(settings.home, run_ids, recipients.site, lost=lost)
    if dry_run:
        due = _due(batch, recipients, meant or {})
        return [Notice(name, channel, message, "dry") for name, channel, _, message in due]
    notices = []
    with ledger.opened(settings.home) as book:
        books = {run_id: book.of(run_id) for run_id in run_ids}
        known = book.failures
        known.came_good(batch.good)
        for name, channel, heard, message in _due(batch, recipients, meant or {}):
            what = f"{name}/{channel}"
            states = {run_id: book.entries.get(what) for run_id, book in books.items()}
            fresh = [one for one in states if states[one] not in (ledger.SENT, ledger.SENDING)]
            news = _news(heard.of(fresh), what, known)
            rest = _message(news, name, recipients.recipients[name])
            if rest is None:
                said = "perhaps" if ledger.SENDING in states.values() else "before"
                notices.append(Notice(name, channel, message, said))
                continue
            _note(books, fresh, what, ledger.SENDING)
            try:
                _send(channel, rest, recipients, recipients.recipients[name], environ)
            except FleetsloError as error:
                _note(books, fresh, what, ledger.FAILED)
                notices.append(Notice(name, channel, rest, "failed", str(error)))
            else:
                _note(books, fresh, what, ledger.SENT)
                if recipients.recipients[name].failures:
                    known.note(what, {one.path or one.page: one.says for one in news.failed})
                notices.append(Notice(name, channel, rest, "sent"))
    return notices


def _news(batch: Batch, what: str, known: ledger.Failures) -> Batch:
    """Return a batch, without its failures where somebody has heard of all of them already."""
    if all(known.knows(what, one.path or one.page, one.says) for one in batch.failed):
        return replace(batch, failed=[])
    return batch


def _note(books: Mapping[str, ledger.Told], run_ids: Sequence[str], what: str, state: str) -> None:
    for run_id in run_ids:
        books[run_id].note(what, state)


def _due(
    batch: Batch, recipients: Recipients, meant: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Channel, Batch, Message]]:
    """Yield recipient, channel, what of the batch is for them, and the message of all that."""
    for name, one in recipients.recipients.items():

        def is_for(entry: str, name: str = name) -> bool:
            return recipients.hear(name, meant.get(entry, ()))

        heard = batch.only(is_for)
        message = _message(heard, name, one)
        if message is None:
            continue
        if one.email:
            yield name, "email", heard, message
        if one.webhook:
            yield name, "webhook", heard, message


def _message(batch: Batch, name: str, one: Recipient) -> Message | None:
    about: Literal["squad", "fleet", "failures"] = (
        "failures" if one.failures else "fleet" if one.fleet else "squad"
    )
    return message_for(batch, name, about, one.squad)


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
