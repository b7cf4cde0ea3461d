"""Those who are told: a webhook and a mail server on this machine, both real."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import Envelope


class Hook(ThreadingHTTPServer):
    """A webhook that remembers what it was sent; ``answers`` are given before 200s.

    It answers once ``open`` is set, which it is from the start.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookAnswers)
        self.answers: list[int] = []
        self.posted: list[dict[str, Any]] = []
        self.open = threading.Event()
        self.open.set()

    @property
    def texts(self) -> list[str]:
        """What was sent, in one line each."""
        return [one["text"] for one in self.posted]


class HookAnswers(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == 200:
            self.server.posted.append(body)
        self.server.open.wait()
        self.send_response(answer)
        self.end_headers()
        self.wfile.write(b"ok" if answer == 200 else b"no_service")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Mailbox:
    """Takes e-mail, except for addresses at nowhere.example."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd asks for these names
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address.endswith("@nowhere.example"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def listening() -> Iterator[Hook]:
    """Give a webhook that listens."""
    with Hook() as hook:
        thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hook
        finally:
            hook.open.set()
            hook.shutdown()
            thread.join()
