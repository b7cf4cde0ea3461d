"""What a notebook's process says to the one that runs it: messages, and the text of two pipes.

Text reaches the pipes of stdout and stderr from anywhere: Python, C, a command that a cell starts.
So that it can be told where in it a message belongs, each message leaves a numbered mark in both
pipes. The mark begins with random bytes of this run, which text does not hold.
"""

import codecs
import io
import os
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from jupyter_client.session import json_packer, json_unpacker

TOKEN_BYTES = 16
_NUMBER = struct.Struct(">I")
_HEAD = struct.Struct(">IQ")
# A message longer than this is not sent; a note is, that it was too long.
MESSAGE_MAX = 64 * 2**20


class Message(NamedTuple):
    """One message. ``number`` is that of its mark, ``length`` how many bytes it came in."""

    number: int
    kind: str
    content: dict[str, Any]
    length: int


class Wire:
    """The notebook's side. Marks go through descriptors of their own: a cell may redirect 1."""

    def __init__(self, messages: int, token: bytes) -> None:
        self._messages = messages
        self._token = token
        self._texts = (os.dup(1), os.dup(2))
        self._number = 0
        self._process = os.getpid()
        self._lock = threading.RLock()
        self.turn = ""

    def send(self, kind: str, content: dict[str, Any]) -> None:
        """Send one message; a process that the notebook forks off has no say."""
        if os.getpid() != self._process:
            return
        data = json_packer([kind, content])
        if len(data) > MESSAGE_MAX:
            data = json_packer([kind, _shortened(content, len(data))])
        with self._lock:
            self._number += 1
            mark = self._token + _NUMBER.pack(self._number)
            for text in self._texts:
                with suppress(OSError):
                    os.write(text, mark)
            data = _HEAD.pack(self._number, len(data)) + data
            while data:
                data = data[os.write(self._messages, data) :]


def _shortened(content: dict[str, Any], length: int) -> dict[str, Any]:
    """Return a message that is too long with a note in the place of what it shows."""
    note = f"[an output of {length / 2**20:,.0f} MiB is left out]"
    if "data" in content:
        return {**content, "data": {"text/plain": note}, "metadata": {}}
    return {"ename": content["ename"], "evalue": note, "traceback": [note]}


class Stream(io.TextIOWrapper):
    """``sys.stdout`` or ``sys.stderr`` of a notebook: every write is in the pipe at once."""

    def __init__(self, name: str, descriptor: int, wire: Wire) -> None:
        super().__init__(
            io.FileIO(descriptor, "w", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        self._turn = name
        self._wire = wire

    def write(self, text: str) -> int:
        """Write text, and say when it is the other stream's turn, so that their order is kept."""
        if self._wire.turn != self._turn:
            self._wire.turn = self._turn
            self._wire.send("turn", {})
        return super().write(text)


class Messages:
    """The messages in what has been read so far."""

    def __init__(self) -> None:
        self._read = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield each message that is complete now."""
        self._read += data
        while len(self._read) >= _HEAD.size:
            number, length = _HEAD.unpack_from(self._read)
            if length > MESSAGE_MAX:
                raise ValueError(f"a message of {length} bytes: this is no message")
            end = _HEAD.size + length
            if len(self._read) < end:
                return
            kind, content = json_unpacker(bytes(self._read[_HEAD.size : end]))
            del self._read[:end]
            yield Message(number, kind, content, length)


class Text:
    """The text of one pipe, cut at the marks; ``newest`` is the last of them that has come."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._length = len(token) + _NUMBER.size
        self.newest = 0
        self._read = b""
        self._parts: deque[str | int] = deque()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Add what has been read from the pipe."""
        data = self._read + data
        while (at := data.find(self._token)) >= 0 and len(data) >= at + self._length:
            self._add(data[:at])
            (self.newest,) = _NUMBER.unpack_from(data, at + len(self._token))
            self._parts.append(self.newest)
            data = data[at + self._length :]
        if at < 0:
            at = len(data) - self._beginning(data)
        self._add(data[:at])
        self._read = data[at:]

    def _beginning(self, part: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a mark."""
        for length in range(min(len(self._token) - 1, len(part)), 0, -1):
            if self._token.startswith(part[-length:]):
                return length
        return 0

    def _add(self, data: bytes) -> None:
        if text := self._decoder.decode(data):
            self._parts.append(text)

    def before(self, number: int) -> str:
        """Return, and forget, the text before the mark of this number."""
        return self._take(number, through=True)

    def after(self, number: int) -> str:
        """Return, and forget, the text that follows the message of this number up to the next."""
        return self._take(number, through=False)

    def _take(self, number: int, *, through: bool) -> str:
        taken: list[str] = []
        while self._parts:
            part = self._parts[0]
            if isinstance(part, str):
                taken.append(part)
            elif part > number:
                break
            self._parts.popleft()
            if part == number and through:
                break
        return "".join(taken)
