"""What ``fleetslo warehouse cost`` prints: fleets side by side, or one in detail."""

from collections.abc import Sequence
from dataclasses import replace

from fleetslo.commands.screen import bytes_text, say, table
from fleetslo.warehouse.costs import (
    GIB,
    REPORTS,
    TIB,
    WEEKS_A_MONTH,
    Ask,
    asked_by_every_report,
    asked_once,
    batch,
    bytes_read,
    same_of_requests,
    stored,
)
from fleetslo.warehouse.sizes import Shape

_SQUAD = 8
"""Services of a squad, so that there are squads to make pages for."""
_RATES = (2, 20, 200)
_OF_REQUESTS = (
    "requests/days", "latency/services", "latency/endpoints", "requests/hours", "latency/hours",
    "slo/days",
)  # fmt: skip


def compared(shapes: Sequence[Shape], days: float, price: float, storage_price: float) -> None:
    """Print a row per fleet: what is stored, what a weekly batch reads, and money a month."""
    rows = []
    for shape in shapes:
        kept = float(stored(shape, days)["bytes"].sum())
        once = float(batch(shape)["bytes"].sum())
        least, most = asked_by_every_report(shape, max(shape.services / _SQUAD, 1))
        a_month = WEEKS_A_MONTH * price / TIB
        rows.append(
            (
                f"{shape.services:,}",
                _size(kept),
                f"{kept / GIB * storage_price:,.2f}",
                _size(once),
                f"{once * a_month:,.2f}",
                f"{_size(least)} to {_size(most)}",
                f"{least * a_month:,.0f} to {most * a_month:,.0f}",
            )
        )
    columns = ["services", "stored", "$ a month", "asked once", "$ a month"]
    table([*columns, "asked by every report", "$ a month"], rows, numeric=7)
    shape = shapes[0]
    say(
        f"Each table is kept {days:g} days; a row counts {shape.rate:g} requests a minute. A weekly"
    )
    say("batch asks each question once for the fleet. Were every page to ask for itself, it would")
    say("read between what clustering can save at best and what nothing saved comes to.")


def detailed(shape: Shape, days: float, price: float) -> None:
    """Print the tables, the questions, the reports and what days save, for one fleet."""
    kept = stored(shape, days).sort("bytes", descending=True)
    rows = [(t, f"{n:,.0f}", f"{w:,.0f}", _size(b)) for t, n, w, b in kept.iter_rows()]
    table(["table", "rows", "bytes a row", "stored"], rows, numeric=3)

    asked = batch(shape).iter_rows()
    questions = [
        (name, f"{length} d", f"{before} d", _size(size), f"{size / TIB * price:,.4f}")
        for name, length, before, size in asked
    ]
    columns = ["question of the batch, asked once", "of", "ending before", "read", "$"]
    table(columns, questions, numeric=4)

    reports = []
    for report, asks in REPORTS.items():
        size = float(asked_once(asks, shape)["bytes"].sum())
        reports.append((report, _size(size), f"{size / TIB * price:,.4f}"))
    table(["report, for the whole fleet", "read", "$"], reports, numeric=2)

    saved = []
    for name in _OF_REQUESTS:
        shares = [_share(name, replace(shape, rate=rate)) for rate in _RATES]
        size = sum(bytes_read(Ask(name, 28), shape).values())
        saved.append((name, _size(size), *(f"{share:.2%}" for share in shares)))
    columns = [f"at {rate:g} a minute" for rate in _RATES]
    table(["28 days, against reading requests", "read", *columns], saved, numeric=4)


def _share(name: str, shape: Shape) -> float:
    """Return what a question reads, as a share of the same from the minutes of requests."""
    ask = Ask(name, 28)
    if name == "slo/days":
        minutes = sum(bytes_read(Ask("requests/minutes", 28), shape).values())
    else:
        minutes = same_of_requests(ask, shape)
    return sum(bytes_read(ask, shape).values()) / minutes


def _size(count: float) -> str:
    return bytes_text(round(count))
