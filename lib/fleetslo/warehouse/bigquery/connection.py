"""Clients for the server that the settings name: Google's, or another on loopback."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleetslo.errors import WarehouseMissing
from fleetslo.settings import Settings

if TYPE_CHECKING:
    from google.cloud import bigquery
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

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


def storage(settings: Settings) -> "Callable[[], BigQueryReadClient] | None":
    """Return what makes a client of the Storage Read API, or None where there is none.

    Another server than Google's has one only where ``bigquery_storage_endpoint`` names it.
    """
    endpoint = settings.bigquery_storage_endpoint
    if settings.bigquery_endpoint and not endpoint:
        return None

    def made() -> "BigQueryReadClient":
        from google.api_core.client_options import ClientOptions
        from google.cloud.bigquery_storage_v1 import BigQueryReadClient

        made_of: dict[str, Any] = {}
        if endpoint and _is_loopback(endpoint):
            made_of["transport"] = _plain(urlsplit(endpoint).netloc)
        elif endpoint:
            made_of["client_options"] = ClientOptions(api_endpoint=endpoint)
        return BigQueryReadClient(**made_of)  # type: ignore[no-untyped-call]

    return made


def _plain(address: str) -> Any:
    """Return a transport without encryption and credentials, for a server on loopback."""
    import grpc  # type: ignore[import-untyped]
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
        BigQueryReadGrpcTransport,
    )

    # A message holds up to 10 MiB of rows, gRPC takes 4 MiB unless told.
    channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])
    return BigQueryReadGrpcTransport(channel=channel)


def _is_loopback(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK
