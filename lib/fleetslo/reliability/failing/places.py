"""Where errors stand out: the version or region that has most of them though not most requests."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

from fleetslo.reliability.failing.clumping import PLACES, Stretch

LEAST_SHARE = 0.5  # of the errors: it explains most of them
LEAST_FACTOR = 3  # times the rate elsewhere: no accident of a place that is a little worse


def standing_out(
    stretch: Stretch, by: Sequence[str], place: Literal["version", "region"]
) -> pl.DataFrame:
    """Return one row per combination of ``is_fault`` and ``by`` that one place stands out of.

    A place stands out when it has at least half of the errors, and at least three times the rate
    that the other places together have.

    Args:
        stretch: errors and requests.
        by: what errors are told apart by; not the place itself.
        place: ``version`` or ``region``.

    Returns:
        ``is_fault``, those of ``by``, the place, ``PLACE_share`` (of the errors) and
        ``PLACE_request_share`` (of the requests that could have failed so).
    """
    keys = ["is_fault", *by]
    served = [key for key in keys if key in PLACES]
    requests = stretch.requests.group_by(*served, place).agg(requests=pl.col("request_count").sum())
    whole = (
        requests.group_by(served).agg(all_requests=pl.col("requests").sum())
        if served
        else requests.select(all_requests=pl.col("requests").sum())
    )
    requests = (
        requests.join(whole, on=served) if served else requests.join(whole, how="cross")
    ).filter(pl.col("requests") < pl.col("all_requests"))
    errors = stretch.errors.group_by(*keys, place).agg(errors=pl.col("error_count").sum())
    total = errors.group_by(keys).agg(all_errors=pl.col("errors").sum())
    share = pl.col("errors") / pl.col("all_errors")
    request_share = pl.col("requests") / pl.col("all_requests")
    elsewhere = (1 - share) * request_share  # rate here over rate there, without dividing by 0
    return (
        errors.join(total, on=keys, nulls_equal=True)
        .join(requests, on=[*served, place])
        .filter(share >= LEAST_SHARE, share * (1 - request_share) >= LEAST_FACTOR * elsewhere)
        .sort("errors", place, descending=[True, False])
        .unique(keys, keep="first", maintain_order=True)
        .select(
            *keys,
            place,
            share.alias(f"{place}_share"),
            request_share.alias(f"{place}_request_share"),
        )
    )
