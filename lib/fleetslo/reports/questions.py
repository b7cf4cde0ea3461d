"""The questions that notebooks declare, asked once for the whole fleet before any of them runs.

In a notebook's metadata::

    "fleetslo": {"queries": [
      {"name": "slo/minutes", "period": "report", "lookback": "alerts"},
      {"name": "slo/days", "period": "report", "before": "7d", "lookback": "windows"},
      {"name": "fleet/seen", "period": "7d"}
    ]}

``period`` is the report's, or as much as is written before its end. ``before`` means the period
that lies so much earlier; ``period`` is as much as the period is long. ``lookback`` begins so much
earlier: a length, as far back as the ``windows`` of objectives begin, or as their ``alerts`` look.
A batch refuses a question whose name is not declared; what is declared only in part, it asks for
when a notebook needs the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from fleetslo.charts import words
from fleetslo.errors import NotebookError, PeriodError, UnknownQuery, WarehouseError
from fleetslo.fleet import Fleet
from fleetslo.judgements import reach
from fleetslo.periods import Period
from fleetslo.reports.jobs import BatchProgress, Job
from fleetslo.reports.notebooks import Notebook
from fleetslo.settings import Settings
from fleetslo.warehouse.extracts import Extracts, Wanted
from fleetslo.warehouse.queries import read_query

_GIB = 1024**3
_TIB = 1024**4
# So few notebooks judge their own services sooner than the fleet.
_FEW = 8


class Declared(BaseModel):
    """One question of a notebook's metadata; see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    period: str = "report"
    before: str = ""
    lookback: str = ""


def declared(notebook: Notebook) -> list[Declared]:
    """Return the questions that a notebook declares, in their order.

    Raises:
        NotebookError: one of them cannot be read, or there is no such question.
    """
    where = f'{notebook.path}: metadata "fleetslo", "queries"'
    entries = (notebook.metadata.get("fleetslo") or {}).get("queries", [])
    found = []
    for place, entry in enumerate(entries, start=1):
        try:
            one = Declared.model_validate(entry)
            read_query(one.name)
            _refuse_unreadable(one)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the entry"
            raise NotebookError(f"{where}, entry {place}: {key}: {first['msg']}") from None
        except (UnknownQuery, PeriodError) as error:
            raise NotebookError(f"{where}, entry {place}: {error}") from None
        found.append(one)
    return found


def _refuse_unreadable(one: Declared) -> None:
    lengths = [one.period.removeprefix("report"), one.before.removeprefix("period")]
    if one.lookback not in ("windows", "alerts"):
        lengths.append(one.lookback)
    for length in filter(None, lengths):
        Period.parse(length, as_of="2000-01-01")


def _shifted(one: Declared, report: Period) -> Period:
    """Return the period that lies ``before`` as much earlier."""
    if one.before == "period":
        return report.previous()
    if not one.before:
        return report
    earlier = Period.parse(one.before, as_of=report.end).length
    return Period(report.start - earlier, report.end - earlier)


@dataclass(frozen=True)
class _Looks:
    """How much earlier than a period its objectives look."""

    windows: timedelta
    alerts: timedelta

    def start(self, one: Declared, period: Period) -> Period:
        """Return the period with its lookback, from a midnight on: days are what is kept."""
        match one.lookback:
            case "":
                return period
            case "windows":
                back = self.windows
            case "alerts":
                back = self.alerts
            case text:
                back = Period.parse(text, as_of=period.end).length
        first = (period.start - back).replace(hour=0, minute=0, second=0, microsecond=0)
        return Period(first, period.end)


def wanted(questions: Iterable[Declared], fleet: Fleet, report: Period) -> list[Wanted]:
    """Return what a notebook asks when it reports on a period.

    Raises:
        PeriodError: a length cannot be read.
    """
    first, alerts = reach(fleet, report)
    looks = _Looks(report.start - first, report.start - alerts)
    found = []
    for one in questions:
        period = _shifted(one, report)
        if one.period != "report":
            period = Period.parse(one.period, as_of=fleet.until(period))
        found.append(Wanted(one.name, looks.start(one, period)))
    return found


def ask_beforehand(
    jobs: Sequence[Job],
    fleet: Fleet,
    extracts: Extracts,
    settings: Settings,
    progress: BatchProgress,
    note: Callable[[str], None],
    *,
    running: Sequence[Job] | None = None,
) -> None:
    """Ask what the notebooks of these jobs declare, and let them ask no other question.

    Where only some of the jobs are ``running``, it is asked for those.

    Where questions cost something, ``note`` is told first what they read together and its price,
    then what each one read.

    Raises:
        NotebookError: a notebook's declarations cannot be read.
        WarehouseError: together they would read more than the setting ``batch_bytes_limit``, or
            one of them failed.
    """
    of = {job.notebook: declared(Notebook(job.notebook, job.source)) for job in jobs}
    asking = jobs if running is None else running
    extracts.declare(
        {name: sorted({one.name for one in ones}) for name, ones in of.items()},
        serves_many=len(asking) > _FEW,
    )
    reports = sorted({(job.notebook, job.period) for job in asking})
    wants = [one for name, text in reports for one in wanted(of[name], fleet, Period.parse(text))]
    lacking = extracts.lacking(wants)
    is_billed = _refuse_dear(extracts, lacking, settings, note)
    what = f"asking {words.plural(len(lacking), 'question')}"
    for done, one in enumerate(lacking):
        progress.stage(what, done, len(lacking))
        question = extracts.ask(one)
        if is_billed and question is not None:
            read = (
                "from the cache" if question.cached else f"{_size(question.bytes_read or 0)} read"
            )
            note(f"{question.name}: {question.rows:,} rows, {read}")
    if lacking:
        progress.stage(what, len(lacking), len(lacking))


def _refuse_dear(
    extracts: Extracts, lacking: Sequence[Wanted], settings: Settings, note: Callable[[str], None]
) -> bool:
    """Return whether questions are billed, once it is said what these come to."""
    estimates = [extracts.warehouse.bytes_to_read(one.name, **one.parameters) for one in lacking]
    known = [estimate for estimate in estimates if estimate is not None]
    if not known:
        return False
    size, count = sum(known), words.plural(len(lacking), "question")
    if size > settings.batch_bytes_limit:
        raise WarehouseError(
            f"the {count} of this batch would read {_size(size)}, over the limit of "
            f"{_size(settings.batch_bytes_limit)}; choose reports with --only, give them a shorter "
            "period, or raise the setting batch_bytes_limit"
        )
    price = size / _TIB * settings.price_per_tib
    note(f"{count} for the whole fleet read {_size(size)}: ${price:,.2f} on demand")
    return True


def _size(count: float) -> str:
    return f"{count / _GIB:,.1f} GiB"
