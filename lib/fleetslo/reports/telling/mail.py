"""Messages by e-mail: as text, as HTML, and with a picture in it."""

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from fleetslo.charts import words
from fleetslo.errors import OutputError
from fleetslo.reports.telling.messages import Line, Message
from fleetslo.reports.telling.picture import budgets, described
from fleetslo.reports.telling.recipients import Smtp, resolved

_WAIT_S = 30.0
_PICTURE = "budgets@fleetslo"


def as_text(message: Message) -> str:
    """Return a message as plain text, each link on a line of its own."""
    parts = [message.sentence]
    if message.link:
        parts.append(message.link)
    if message.lines:
        parts.append("\n".join(map(_text_line, message.lines)))
    if message.spent:
        parts.append("\n".join(f"  {part}" for part in described(message.spent).split("; ")))
    return "\n\n".join(parts) + "\n"


def _text_line(line: Line) -> str:
    mark = words.verdict_mark(line.verdict).shape if line.verdict else "-"
    return f"{mark} {line.text}" + (f"\n  {line.link}" if line.link else "")


def as_html(message: Message) -> str:
    """Return a message as a small HTML document; its picture is named by a content id."""
    lines = "".join(f"<li>{_html_line(line)}</li>" for line in message.lines)
    listed = f'<ul style="padding-left:1.2em">{lines}</ul>' if lines else ""
    picture = ""
    if message.spent:
        said = escape(described(message.spent))
        picture = f'<p><img src="cid:{_PICTURE}" alt="{said}" width="600"></p>'
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;max-width:40em">'
        f'<h1 style="font-size:1.2em">{_linked(message.subject, message.link)}</h1>'
        f"<p>{escape(message.sentence)}</p>{listed}{picture}</body></html>"
    )


def _html_line(line: Line) -> str:
    mark = words.verdict_mark(line.verdict) if line.verdict else None
    shape = f'<span title="{mark.word}">{mark.shape}</span> ' if mark else ""
    return shape + _linked(line.text, line.link)


def _linked(text: str, link: str | None) -> str:
    return f'<a href="{escape(link)}">{escape(text)}</a>' if link else escape(text)


def written(message: Message, sender: str, addresses: Sequence[str]) -> EmailMessage:
    """Return the e-mail; the same message has the same id, however often it is written."""
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = ", ".join(addresses)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{sha256(message.key.encode()).hexdigest()[:32]}@fleetslo>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message))
    mail.add_alternative(as_html(message), subtype="html")
    if message.spent:
        document = mail.get_payload()[1]  # type: ignore[index]
        document.add_related(  # type: ignore[union-attr]
            budgets(message.spent), "image", "png", cid=f"<{_PICTURE}>", filename="budgets.png"
        )
    return mail


def send(mail: EmailMessage, server: Smtp, environ: Mapping[str, str] | None = None) -> None:
    """Hand an e-mail to a server.

    Raises:
        SettingsError: the password's variable is not set.
        OutputError: the server refused it or one of its addresses, or did not answer.
    """
    password = resolved(server.password, environ) if server.password else None
    where = f"{server.host}:{server.port}"
    try:
        with _connected(server) as smtp:
            if server.user and password is not None:
                smtp.login(server.user, password)
            refused = smtp.send_message(mail)
    except smtplib.SMTPException as error:
        raise OutputError(f"{where} did not take the e-mail: {_said(error)}") from None
    except OSError as error:
        raise OutputError(
            f"{where} cannot be reached ({error.strerror or error}); see smtp: in recipients.yaml"
        ) from None
    if refused:
        raise OutputError(f"{where} did not take the e-mail for {', '.join(refused)}")


def _connected(server: Smtp) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(
            server.host, server.port, timeout=_WAIT_S, context=ssl.create_default_context()
        )
    smtp = smtplib.SMTP(server.host, server.port, timeout=_WAIT_S)
    if server.security == "starttls":
        smtp.starttls(context=ssl.create_default_context())
    return smtp


def _said(error: smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"it refuses {', '.join(error.recipients)}"
    if isinstance(error, smtplib.SMTPResponseException):
        said: bytes | str = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return f"{error.smtp_code} {text}"
    return str(error) or type(error).__name__
