"""What a batch has to say to whom: one message per squad, one of the fleet, one of failures."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urljoin

import polars as pl

from fleetslo.charts import words
from fleetslo.reports.page import Page

_MOST = 8
"""Services or failures that one message names; the rest are counted."""
_ORDER = {"missed": 0, "at_risk": 1, "unjudged": 2, "met": 3}


@dataclass(frozen=True)
class Failed:
    """A report of the batch that came to no page: its page's name, and why in one line.

    ``entry`` is its name in the schedule, ``run_id`` the run in which it failed last, ``path`` the
    page's, ``why`` that of the page of the site that tells more, if there is one.
    """

    page: str
    says: str
    entry: str = ""
    run_id: str = ""
    path: str = ""
    why: str = ""


@dataclass(frozen=True)
class Batch:
    """What became of a batch, as far as people are told of it.

    Attributes:
        run_ids: names of its runs, the oldest first: attempts, or shards.
        pages: the pages that it published.
        failed: the reports that it could not make.
        told: what it published of each objective: rows of the ledger.
        before: what earlier runs had published: rows of the ledger.
        site: where readers open the site; empty where nobody said.
        entries: by the path of a page, the report of the schedule that it belongs to.
        good: the paths of the pages that it made, or had been made before.
    """

    run_ids: Sequence[str]
    pages: Sequence[Page]
    failed: Sequence[Failed]
    told: pl.DataFrame
    before: pl.DataFrame
    site: str = ""
    entries: Mapping[str, str] = field(default_factory=dict)
    good: Collection[str] = ()

    def of(self, run_ids: Sequence[str]) -> "Batch":
        """Return what came of some of its runs."""
        return replace(
            self,
            pages=[page for page in self.pages if page.run_id in run_ids],
            failed=[one for one in self.failed if one.run_id in run_ids],
        )

    def only(self, wanted: Callable[[str], bool]) -> "Batch":
        """Return what came of those reports of the schedule that are wanted."""
        return replace(
            self,
            pages=[page for page in self.pages if wanted(self.entries.get(page.path, ""))],
            failed=[one for one in self.failed if wanted(one.entry)],
        )


@dataclass(frozen=True)
class Line:
    """One thing to say: a mark (missed, at_risk, …, or none), a text, and the page it is from."""

    text: str
    verdict: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Spent:
    """An objective in the picture: what it is called, and the share of its budget that is left."""

    name: str
    budget_left: float
    verdict: str


@dataclass(frozen=True)
class Message:
    """What one recipient is told of one batch.

    ``key`` is the same whenever the same run tells the same recipient; ``spent`` is drawn where a
    picture can be shown, and said in ``lines`` all the same.
    """

    key: str
    subject: str
    sentence: str
    link: str | None
    lines: Sequence[Line] = ()
    spent: Sequence[Spent] = field(default=())


def message_for(
    batch: Batch, name: str, about: Literal["squad", "fleet", "failures"], squad: str | None = None
) -> Message | None:
    """Return what a recipient is told; None where the batch has nothing for them.

    Args:
        batch: what became of the batch.
        name: the recipient's.
        about: what they want to know of.
        squad: whose services, where that is a squad.
    """
    key = f"{batch.run_ids[-1]}/{name}"
    if about == "failures":
        return _of_failures(batch, key) if batch.failed else None
    heads = [
        page
        for page in batch.pages
        if (page.squad == squad if about == "squad" else _is_fleet(page))
    ]
    page = next((one for one in heads if one.verdict), next(iter(heads), None))
    # One of each service: that of a report for every service, before one about it alone.
    wide = sorted((one for one in batch.pages if one.service), key=lambda one: "/" in one.name)
    mine = [
        one for one in {one.service: one for one in wide}.values() if _belongs(one, about, squad)
    ]
    if page is None and not mine:
        return None
    services = {one.service for one in mine}
    told = batch.told.filter(pl.col("service").is_in(list(services)))
    changed = _changes(told, batch.before)
    worst = sorted(mine, key=lambda one: (_ORDER.get(one.verdict or "", 4), one.title))
    named = [one for one in worst if one.verdict in ("missed", "at_risk")][:_MOST]
    lines = [
        *changed,
        *(Line(_plain(one.sentence), one.verdict, _link(batch.site, one)) for one in named),
    ]
    rest = sum(one.verdict in ("missed", "at_risk") for one in mine) - len(named)
    if rest:
        lines.append(Line(f"and {rest} more"))
    covers = (page or mine[0]).span.label
    subject = f"{squad or 'Fleet'}: {_counted(mine)}, {covers}"
    sentence = _plain(page.sentence) if page else subject
    link = _link(batch.site, page) if page else None
    return Message(key, subject, sentence, link, lines, _spent(told) if squad else ())


def _belongs(page: Page, about: str, squad: str | None) -> bool:
    return about == "fleet" or page.headline.get("squad") == squad


def _is_fleet(page: Page) -> bool:
    return page.service is None and page.squad is None


def _counted(pages: Sequence[Page]) -> str:
    """Return ``1 missed, 2 at risk, 3 met``."""
    counts = {verdict: sum(page.verdict == verdict for page in pages) for verdict in _ORDER}
    said = [
        f"{count} {words.verdict_mark(verdict).word.lower()}"
        for verdict, count in counts.items()
        if count
    ]
    return ", ".join(said) or "nothing to judge"


def _of_failures(batch: Batch, key: str) -> Message:
    count = len(batch.failed)
    lines = [
        Line(f"{one.page}: {one.says}", link=_address(batch.site, one.why))
        for one in batch.failed[:_MOST]
    ]
    if count > _MOST:
        lines.append(Line(f"and {count - _MOST} more"))
    subject = f"{words.plural(count, 'report')} of run {batch.run_ids[-1]} failed"
    good = len(batch.pages)
    others = f"{words.plural(good, 'other page')} {'was' if good == 1 else 'were'} published"
    sentence = f"{subject}; {others}. The pages of the run before stay."
    link = urljoin(batch.site, "index.html") if batch.site else None
    return Message(key, subject, sentence, link, lines)


def _changes(told: pl.DataFrame, before: pl.DataFrame) -> list[Line]:
    """Return a line per objective that was met before and is missed now, or the other way."""
    earlier: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in before.sort("window_end", "published_at").iter_rows(named=True):
        earlier[row["service"], row["objective"]] = row
    lines = []
    for row in told.sort("service", "objective").iter_rows(named=True):
        was = earlier.get((row["service"], row["objective"]))
        if was is None or _end(was) >= _end(row):
            continue
        name = f"{row['service']}: {row['label']}"
        if row["verdict"] == "missed" and was["verdict"] in ("met", "at_risk"):
            lines.append(Line(f"{name} is newly missed", "missed"))
        elif was["verdict"] == "missed" and row["verdict"] in ("met", "at_risk"):
            lines.append(Line(f"{name} is met again", row["verdict"]))
    return lines


def _end(row: Mapping[str, Any]) -> datetime:
    end: datetime = row["window_end"]
    return end


def _spent(told: pl.DataFrame) -> list[Spent]:
    rows = told.filter(pl.col("budget_left").is_not_null()).sort("budget_left")
    return [
        Spent(f"{row['service']}: {row['label']}", row["budget_left"], row["verdict"])
        for row in rows.head(_MOST).iter_rows(named=True)
    ]


def _plain(sentence: str) -> str:
    """Return a sentence of a page without its Markdown."""
    return sentence.replace("**", "").replace("`", "")


def _link(site: str, page: Page | None) -> str | None:
    return _address(site, page.path if page else "")


def _address(site: str, path: str) -> str | None:
    return urljoin(site, quote(path)) if site and path else None
