"""What Google's client raises, as one error that says what to do."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fleetslo.errors import MigrationNeeded, WarehouseError, WarehouseMissing

_QUOTA = ("quotaExceeded", "rateLimitExceeded")
_REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) \S+: ")
"""What the client puts before the words of the server."""
_UNBOUNDED = re.compile(
    r"Cannot query over table '([^']+)' without a filter over column\(s\) '([^']+)'"
)
_JOB = re.compile(r"\s*\n\nLocation: .*\nJob ID: (\S+)\s*$")


@contextmanager
def explained(url: str, name: str, misfits: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """Turn whatever the client raises within into an error of ours.

    Args:
        url: the warehouse's address.
        name: the question that is asked.
        misfits: looks for what the tables asked lack of their contracts; called when BigQuery
            says that the query is wrong, which ours are not unless a table is.

    Raises:
        WarehouseMissing: there is no such dataset or table, or the credentials are no good.
        MigrationNeeded: a table lacks a column, or has it of another type.
        WarehouseError: BigQuery refused, or could not be reached in time.
    """
    from concurrent.futures import TimeoutError as TookTooLong

    from google.api_core.exceptions import BadRequest, GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except BadRequest as error:
        found = misfits() if _bounded(error) else ()
        if found:
            raise MigrationNeeded(misfitting(url, name, found)) from None
        raise _refused(error, url, name) from None
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


def misfitting(url: str, name: str, found: Sequence[str]) -> str:
    """Return the message about tables that do not fit their contracts."""
    return (
        f"{url}: query {name!r}: {'; '.join(found)}. 'fleetslo warehouse create' shows what it "
        "would change, and does it with --change"
    )


def _bounded(error: "Exception") -> bool:
    return _UNBOUNDED.search(_said(error)) is None


def _said(error: "Exception") -> str:
    """Return the server's words on one line, with the job's name where there is one."""
    text = _REQUEST.sub("", str(getattr(error, "message", error)))
    return " ".join(_JOB.sub(r" (job \1)", text).split())


def _refused(error: "Exception", url: str, name: str) -> WarehouseError:
    from google.api_core import exceptions as google

    said = _said(error)
    reasons = {
        each.get("reason") for each in getattr(error, "errors", ()) if isinstance(each, dict)
    }
    if isinstance(error, google.Unauthorized):
        return WarehouseMissing(_expired(url))
    if isinstance(error, google.NotFound) and "Not found: Table" in said:
        return WarehouseMissing(
            f"{url}: {said}; the tables are those of queries/tables/, and 'fleetslo warehouse "
            "create' makes those that are missing"
        )
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
    if unbounded := _UNBOUNDED.search(said):
        table, column = unbounded.groups()
        return WarehouseError(
            f"{url}: query {name!r} would read all days of {table}; bound the bare column, "
            f"{column} >= … AND {column} < …, in the same SELECT"
        )
    if "bytesBilledLimitExceeded" in reasons:
        return WarehouseError(
            f"{url}: query {name!r}: {said}; it would read more than its dry run said, since the "
            "tables grew meanwhile: ask again"
        )
    return WarehouseError(f"{url}: query {name!r}: {said}")


def _expired(url: str) -> str:
    return (
        f"{url}: the Google credentials are no longer good; run "
        "'gcloud auth application-default login', or give the service account a new key"
    )
