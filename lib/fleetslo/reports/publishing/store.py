"""The storage that readers are served from: a prefix of a bucket."""

import base64
import gzip
import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from fleetslo.errors import OutputError, SettingsError
from fleetslo.reports.publishing.faults import explained
from fleetslo.settings import Settings
from fleetslo.warehouse.bigquery.connection import is_loopback

if TYPE_CHECKING:
    from google.cloud.storage import Client

_ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/+([^?#]*))?")
_AT_ONCE = 8
"""Requests at once; Google's client keeps ten connections."""
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "atom": "application/atom+xml",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long the storage is waited for, in seconds.

    ``retry_s`` covers all tries of one request, ``first_delay_s`` is waited before the second try
    and ``request_s`` is the time for one try.
    """

    retry_s: float = 120.0
    first_delay_s: float = 1.0
    request_s: float = 60.0


@dataclass(frozen=True)
class Stored:
    """A file in the storage. ``md5`` is that of its stored bytes, in base 64."""

    md5: str
    size: int
    generation: int
    made_at: datetime


@dataclass(frozen=True)
class Packed:
    """Bytes as they are stored, which is compressed, and their MD5 in base 64."""

    content: bytes
    md5: str


def packed(content: bytes) -> Packed:
    """Return bytes as they are stored: gzip, the same for the same bytes."""
    small = gzip.compress(content, mtime=0)
    digest = hashlib.md5(small, usedforsecurity=False).digest()
    return Packed(small, base64.b64encode(digest).decode())


class Store:
    """A prefix of a bucket; names of files are relative to it.

    Args:
        address: ``gs://bucket/prefix``.
        client: Google's client.
        patience: how long answers are waited for.

    Every method raises OutputError where the storage refuses or does not answer in time, and
    Google's PreconditionFailed where a file is not at the generation that was named.
    """

    def __init__(self, address: str, client: "Client", patience: Patience | None = None) -> None:
        self.bucket, self.prefix = parts_of(address)
        self.address = f"gs://{self.bucket}/{self.prefix}".rstrip("/")
        self._client = client
        self._bucket = client.bucket(self.bucket)
        self._patience = patience or Patience()
        self._given_up = threading.Event()

    def files(self, folder: str = "") -> dict[str, Stored]:
        """Return every file whose name begins with a folder's."""
        with explained(self.address):
            found = self._client.list_blobs(
                self.bucket, prefix=self.prefix + folder, **self._waiting()
            )
            return {
                blob.name.removeprefix(self.prefix): Stored(
                    blob.md5_hash or "", blob.size or 0, blob.generation, blob.time_created
                )
                for blob in found
            }

    def read(self, name: str) -> tuple[bytes, int] | None:
        """Return a file as it was before it was compressed, and its generation; None: not there."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with explained(self.address):
            while True:
                blob = self._bucket.get_blob(self.prefix + name, **self._waiting())
                if blob is None:
                    return None
                try:
                    content = blob.download_as_bytes(
                        if_generation_match=blob.generation, **self._waiting()
                    )
                except (NotFound, PreconditionFailed):
                    continue  # replaced between the two
                return content, blob.generation

    def write(self, name: str, content: Packed, kept: str, generation: int | None = None) -> None:
        """Write a file; ``kept`` says how long readers' browsers may keep it.

        With a ``generation`` it is only written over that one; 0 means that there must be none.
        """
        blob = self._bucket.blob(self.prefix + name)
        blob.content_encoding = "gzip"
        blob.cache_control = kept
        with explained(self.address):
            blob.upload_from_string(
                content.content,
                content_type=_KINDS.get(name.rpartition(".")[2], "application/octet-stream"),
                if_generation_match=generation,
                checksum="crc32c",
                **self._waiting(),
            )

    def copy(self, source: str, name: str) -> None:
        """Copy a file inside the storage."""
        blob = self._bucket.blob(self.prefix + source)
        with explained(self.address):
            self._bucket.copy_blob(blob, self._bucket, self.prefix + name, **self._waiting())

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is deleted already."""
        from google.api_core.exceptions import NotFound

        with explained(self.address):
            try:
                self._bucket.delete_blob(self.prefix + name, **self._waiting())
            except NotFound:
                return

    def each(
        self,
        do: Callable[[T], None],
        items: Sequence[T],
        step: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Do something with each item, several at once; the first fault ends it."""
        self._given_up.clear()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = [pool.submit(do, item) for item in items]
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    step(done, len(items))
            except BaseException:
                self._given_up.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _waiting(self) -> dict[str, Any]:
        """Return how long one request is waited for and how it is tried again."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        worth = DEFAULT_RETRY._predicate
        retry = (
            DEFAULT_RETRY.with_predicate(lambda error: not self._given_up.is_set() and worth(error))
            .with_delay(initial=self._patience.first_delay_s)
            .with_timeout(self._patience.retry_s)
        )
        return {"timeout": self._patience.request_s, "retry": retry}


def parts_of(address: str) -> tuple[str, str]:
    """Return bucket and prefix of ``gs://bucket/prefix``; the prefix ends in / unless empty.

    Raises:
        SettingsError: it is no such address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise SettingsError(
            f"setting 'publish' is {address!r}: write gs://bucket/prefix, or leave it empty"
        )
    prefix = "/".join(filter(None, (found[2] or "").split("/")))
    return found[1], f"{prefix}/" if prefix else ""


def open_store(settings: Settings, patience: Patience | None = None) -> Store:
    """Return the storage that the setting ``publish`` names.

    Raises:
        SettingsError: it names none.
        OutputError: there are no credentials.
    """
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

    parts_of(settings.publish)
    endpoint = settings.storage_endpoint
    options = ClientOptions(api_endpoint=endpoint) if endpoint else None
    if endpoint and is_loopback(endpoint):
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        client = Client("loopback", nobody, client_options=options)
        return Store(settings.publish, client, patience)
    try:
        return Store(settings.publish, Client(client_options=options), patience)
    except DefaultCredentialsError:
        raise OutputError(
            f"{settings.publish}: there are no Google credentials here; run "
            "'gcloud auth application-default login' or use a service account"
        ) from None
