"""What Google's client raises, as one error that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from fleetslo.errors import WarehouseError, WarehouseMissing

_QUOTA = ("quotaExceeded", "rateLimitExceeded")


@contextmanager
def explained(url: str, name: str) -> Iterator[None]:
    """Turn whatever the client raises within into an error of ours.

    Raises:
        WarehouseMissing: there is no such dataset or table, or the credentials are no good.
        WarehouseError: BigQuery refused, or could not be reached in time.
    """
    from concurrent.futures import TimeoutError as TookTooLong

    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAPICallError as error:
        raise _refused(error, url, name) from None
    except (RetryError, TransportError, RequestException, TookTooLong) as error:
        cause = getattr(error, "cause", None) or error
        raise WarehouseError(
            f"{url}: query {name!r}: BigQuery did not answer in time "
            f"({type(cause).__name__}); nothing was read: ask again later, or see "
            "https://status.cloud.google.com and the way there"
        ) from None
    except GoogleAuthError:
        raise WarehouseMissing(_expired(url)) from None


def _refused(error: "Exception", url: str, name: str) -> WarehouseError:
    from google.api_core import exceptions as google

    said = str(getattr(error, "message", error))
    reasons = {
        each.get("reason") for each in getattr(error, "errors", ()) if isinstance(each, dict)
    }
    if isinstance(error, google.Unauthorized):
        return WarehouseMissing(_expired(url))
    if isinstance(error, google.NotFound) and "in location" in said:
        return WarehouseMissing(
            f"{url}: {said}; correct the name of the dataset, or set bigquery_location to where "
            "it lies"
        )
    if isinstance(error, google.NotFound):
        return WarehouseMissing(f"{url}: {said}; the tables are those of queries/tables/")
    if reasons.intersection(_QUOTA) or isinstance(error, google.TooManyRequests):
        return WarehouseError(
            f"{url}: query {name!r}: {said}; the project's quota is used up: ask again later, or "
            "ask its administrators for more"
        )
    if isinstance(error, google.Forbidden):
        return WarehouseError(
            f"{url}: {said}; it takes the roles BigQuery Job User on the project and BigQuery "
            "Data Viewer on the dataset"
        )
    if isinstance(error, google.ServerError):
        return WarehouseError(
            f"{url}: query {name!r}: {said}; BigQuery failed again and again: ask again later"
        )
    return WarehouseError(f"{url}: query {name!r}: {said}")


def _expired(url: str) -> str:
    return (
        f"{url}: the Google credentials are no longer good; run "
        "'gcloud auth application-default login', or give the service account a new key"
    )
