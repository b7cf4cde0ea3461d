"""Messages to a webhook, in the format that Slack reads (and Mattermost, and others)."""

from typing import Any

from fleetslo.charts import words
from fleetslo.errors import OutputError
from fleetslo.reports.telling.messages import Line, Message

_TRIES = 4
_WAIT_S = 20.0
_AGAIN = (429, 503)
"""Answers of a server that has not taken the message; after any other one it may have."""
_LONGEST = 3000
"""Characters that a section of Slack's block kit may have."""


def written(message: Message) -> dict[str, Any]:
    """Return a message as the JSON that a webhook takes: blocks, and a text for where none show."""
    title = _linked(message.subject, message.link)
    blocks = [_section(f"*{title}*\n{_escaped(message.sentence)}")]
    if message.lines:
        blocks.append(_section("\n".join(map(_line, message.lines))))
    return {"text": message.subject, "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1].rpartition("\n")[0] + "\n…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut}}


def _line(line: Line) -> str:
    mark = f"{words.verdict_mark(line.verdict).shape} " if line.verdict else "• "
    return mark + _linked(line.text, line.link)


def _linked(text: str, link: str | None) -> str:
    return f"<{link}|{_escaped(text)}>" if link else _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(message: Message, address: str) -> None:
    """Send a message to a webhook; what is refused for a while is tried again.

    Raises:
        OutputError: it was refused, or nobody answered. The address, a secret, is not named.
    """
    import requests
    from requests import exceptions
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    again = Retry(
        total=_TRIES, read=0, backoff_factor=0.5, status_forcelist=_AGAIN, allowed_methods=None
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=again))
        try:
            answer = session.post(address, json=written(message), timeout=_WAIT_S)
        except (exceptions.MissingSchema, exceptions.InvalidSchema, exceptions.InvalidURL):
            raise OutputError("the webhook's address is none; write https://…") from None
        except requests.RequestException as error:
            raise OutputError(
                f"the webhook could not be reached ({type(error).__name__}); see that its address "
                "is right and that this machine may reach it"
            ) from None
    if not answer.ok:
        said = answer.text.strip()[:200]
        raise OutputError(
            f"the webhook answered {answer.status_code} ({said}); see that it still exists"
        )
