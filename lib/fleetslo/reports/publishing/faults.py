"""What Google's client raises, as one error that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from fleetslo.errors import OutputError


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn whatever the client raises within into an error of ours.

    A failed precondition passes as it is: only the one who set it knows what it means.

    Raises:
        OutputError: the storage refused, or could not be reached in time.
    """
    from http.client import HTTPException

    from google.api_core.exceptions import GoogleAPICallError, PreconditionFailed, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.cloud.storage.exceptions import DataCorruption
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except PreconditionFailed:
        raise
    except GoogleAPICallError as error:
        raise OutputError(f"{address}: {_refused(error)}") from None
    except (
        *(RetryError, TransportError, RequestException),
        *(HTTPError, HTTPException, ConnectionError),
    ) as error:
        cause = getattr(error, "cause", None) or error
        if getattr(cause, "response", None) is not None:
            raise OutputError(f"{address}: {_failed(cause)}") from None
        raise OutputError(
            f"{address}: the storage did not answer in time ({type(cause).__name__}); {_AGAIN}"
        ) from None
    except DataCorruption:
        raise OutputError(f"{address}: what arrived there is not what was sent; {_AGAIN}") from None
    except GoogleAuthError:
        raise OutputError(f"{address}: {_EXPIRED}") from None


_AGAIN = "readers never meet half of it: 'fleetslo site publish' tries again"
_EXPIRED = (
    "the Google credentials are no longer good; run 'gcloud auth application-default login', or "
    "give the service account a new key"
)


def _refused(error: Exception) -> str:
    from google.api_core import exceptions as google

    said = _said(error)
    if isinstance(error, google.Unauthorized):
        return _EXPIRED
    if isinstance(error, google.NotFound):
        return (
            f"there is no such bucket, or a file of the site was deleted meanwhile ({said}); make "
            "the bucket, or correct the setting publish"
        )
    if isinstance(error, google.Forbidden):
        return f"{said}; it takes the role Storage Object User on the bucket"
    if isinstance(error, google.TooManyRequests | google.ServerError):
        return _failed(error)
    return said


def _failed(error: Exception) -> str:
    return f"the storage failed again and again ({_said(error)}); {_AGAIN}"


def _said(error: Exception) -> str:
    """Return what the server gave as its reason, on one line."""
    response = getattr(error, "response", None)
    try:
        said = f"{response.status_code}: {response.json()['error']['message']}"  # type: ignore[union-attr]
    except (AttributeError, ValueError, KeyError, TypeError):
        said = str(getattr(error, "message", error))
    return " ".join(said.split())[:300]
