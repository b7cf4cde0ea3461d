"""A client for the server that the settings name: Google's, or another on loopback."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleetslo.errors import WarehouseMissing
from fleetslo.settings import Settings

if TYPE_CHECKING:
    from google.cloud import bigquery

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def connect(url: str, project: str, settings: Settings) -> "bigquery.Client":
    """Return a client with application-default credentials; a server on loopback needs none.

    Raises:
        WarehouseMissing: there are no credentials.
    """
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import bigquery

    endpoint = settings.bigquery_endpoint
    options = ClientOptions(api_endpoint=endpoint) if endpoint else None
    location = settings.bigquery_location
    if endpoint and _is_loopback(endpoint):
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return bigquery.Client(project, nobody, location=location, client_options=options)
    try:
        return bigquery.Client(project, location=location, client_options=options)
    except DefaultCredentialsError:
        raise WarehouseMissing(
            f"{url}: there are no Google credentials here; run "
            "'gcloud auth application-default login' or use a service account"
        ) from None


def _is_loopback(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK
