"""Fleet: what a notebook holds in its hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.errors import (
    NoData,
    PeriodError,
    UnknownService,
    UnknownSquad,
    WarehouseEmpty,
    nearest,
)
from fleetslo.explore.asking import CellWatcher
from fleetslo.judgements import earlier_judgements, judgements, spending
from fleetslo.measuring import measures_of, objective_files, objectives_in_force
from fleetslo.once import once
from fleetslo.overview import Overview
from fleetslo.periods import Period, instant
from fleetslo.reliability.exclusions import Exclusion, read_exclusions
from fleetslo.reliability.objectives import Objective, resolve
from fleetslo.reliability.versions import versions
from fleetslo.service import ServiceView
from fleetslo.settings import Settings, load_settings
from fleetslo.squad import SquadView
from fleetslo.warehouse.base import Warehouse, open_warehouse
from fleetslo.warehouse.extracts import Extracts
from fleetslo.warehouse.queries import read_query
from fleetslo.warehouse.rollups import Measure, RollupReport

if TYPE_CHECKING:
    pass

Progress = Callable[[str, int, int], None]
_DAY = timedelta(days=1)


class Fleet:
    """The fleet's data and objectives, behind a few questions.

    Args:
        settings: the settings in force.
        warehouse: where the data lies.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self.settings = settings
        self.warehouse = warehouse
        self._services: dict[Period, pl.DataFrame] = {}
        self._days: dict[tuple[Period, tuple[str, ...]], pl.DataFrame] = {}
        self._until: dict[Period, datetime] = {}

    def __repr__(self) -> str:
        """Return the address of the warehouse, as a notebook shows it."""
        return f"Fleet({self.warehouse.url!r})"

    def query(
        self, name: str, *, period: Period, services: Sequence[str] = (), **parameters: Any
    ) -> pl.DataFrame:
        """Return the answer to one question, cast to its contract.

        ``services`` empty means all of them. A query with a look-back (incidents, deployments)
        also finds what began before the period and reaches into it.

        Raises:
            UnknownQuery: there is no such query.
            UnknownParameter, ParameterError: a parameter does not fit it.
        """
        return self.warehouse.query(
            name, start=period.start, end=period.end, services=list(services), **parameters
        )

    def sql(self, text: str, /, **parameters: Any) -> pl.DataFrame:
        """Return the answer to a SELECT in GoogleSQL, for what no question asks yet.

        Tables are those of ``queries/tables/``, by their bare names. A parameter (``@start``) is
        given by name, and has the type of its value: str, int, float, bool, date, aware datetime,
        or a list of one of them. Columns and the order of rows are as the SQL says. In a batch it
        is refused: there every question has a name, and is asked once.

        Raises:
            UsageError: it is not one SELECT, or a batch is running.
            UnknownParameter, ParameterError: values and named parameters do not agree.
            UnknownTable: there is no such table.
            WarehouseError: it would read or hold more than allowed, or the warehouse failed.
        """
        return self.warehouse.sql(text, **parameters)

    def ask(
        self,
        name: str,
        period: str,
        as_of: str = "",
        services: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> pl.DataFrame:
        """Return the answer to a question that a person typed, every word of it checked first.

        Raises:
            UnknownService: a service that neither the catalogue nor the data knows.
            PeriodError, NoData, UnknownQuery, UnknownParameter, ParameterError: as their names say.
        """
        query = read_query(name)
        window = self.period(period, as_of)
        if services:
            known = self.services(window)["service"].to_list()
            for service in services:
                if service not in known:
                    raise UnknownService(_no_service(service, known, window))
        values = query.parse(parameters or {})
        return self.query(name, period=window, services=services, **values)

    @cached_property
    def objectives(self) -> list[Objective]:
        """The objectives as written: the project's own documents over the packaged ones."""
        return objectives_in_force()

    @cached_property
    def exclusions(self) -> list[Exclusion]:
        """What is agreed not to count, from the same folders as the objectives."""
        return read_exclusions(objective_files())

    @cached_property
    def complete_until(self) -> datetime:
        """The newest instant that the fleet's data reaches.

        Raises:
            WarehouseEmpty: nothing has been loaded yet.
        """
        newest = self.warehouse.complete_until()
        if newest is None:
            lasts = self.warehouse.describe()["last"].drop_nulls()
            if lasts.is_empty():
                raise WarehouseEmpty(
                    f"{self.warehouse.url} holds no data yet; fill it with 'fleetslo warehouse "
                    "load TABLE FILE' or 'fleetslo demo'"
                )
            newest = instant(lasts.max())  # type: ignore[arg-type]
        return newest

    @property
    def last_day(self) -> datetime:
        """The newest midnight (UTC) that the data reaches; where a report ends unless told."""
        midnight = self.complete_until.replace(hour=0, minute=0, second=0, microsecond=0)
        nearly_there = self.complete_until >= midnight + _DAY - timedelta(minutes=5)
        return midnight + _DAY if nearly_there else midnight

    def period(self, text: str, as_of: str | date | datetime = "") -> Period:
        """Return the period that a text names, checked against the data.

        ``as_of`` empty means the newest whole day of data. A period that has begun by then and
        ends later, such as the month that still runs, is counted up to ``until(period)``.

        Raises:
            PeriodError: it cannot be read, or ``as_of`` or all of it lies past the newest data.
            NoData: nothing was recorded in it.
        """
        now = instant(as_of or self.last_day)
        period = Period.parse(text, as_of=now)
        reach = self.complete_until + timedelta(hours=self.settings.late_data_hours)
        begun = period.start < (now if as_of else self.complete_until)
        if min(now, period.end) > reach or (period.end > reach and not begun):
            raise PeriodError(
                f"{period} reaches past the data, which is complete to "
                f"{self.complete_until:%Y-%m-%d %H:%M} UTC; end it on {self.last_day:%Y-%m-%d}"
            )
        if as_of and period.start < now < period.end:
            self._until[period] = now
        known = self.services(period)
        if not known["reported"].any():
            raise NoData(
                f"no hour was recorded in {period}; the newest whole day of data ends on "
                f"{self.last_day:%Y-%m-%d}. 'fleetslo warehouse rollup' makes hours of what was "
                "loaded"
            )
        return period

    def until(self, period: Period) -> datetime:
        """Return the instant for which a period is judged: its end, or while it runs, now.

        Now is the ``as_of`` with which the period was asked for, else the newest whole day of
        data, or the newest minute in a period's first day.
        """
        reach = self.complete_until + timedelta(hours=self.settings.late_data_hours)
        asked = self._until.get(period, period.end)
        if asked <= reach:
            return asked
        minute = self.complete_until.replace(second=0, microsecond=0)
        newest = self.last_day if self.last_day > period.start else minute
        return newest if newest > period.start else period.end

    def services(self, period: Period) -> pl.DataFrame:
        """Return one row per service that the catalogue or the data knows in the period.

        Columns: those of ``fleet/services`` (null where not catalogued), ``catalogued``,
        ``request_count``, ``first_hour`` and ``last_hour`` (null without telemetry), and
        ``reported``: whether it sent telemetry or was deployed in the period.
        """
        if period not in self._services:
            self._services[period] = self._once(
                "services", (period.start, period.end), lambda: self._known_services(period)
            )
        return self._services[period]

    def _once(
        self, what: str, moments: tuple[datetime, ...], work: Callable[[], pl.DataFrame]
    ) -> pl.DataFrame:
        """Work something out, or take it over where another notebook of a large batch has."""
        shared = self._shared
        return work() if shared is None else once(shared, what, moments, work)

    @property
    def _shared(self) -> Path | None:
        """The folder for what a large batch works out once for all of its notebooks."""
        warehouse = self.warehouse
        if isinstance(warehouse, Extracts) and warehouse.serves_many:
            return warehouse.folder
        return None

    def _known_services(self, period: Period) -> pl.DataFrame:
        catalogue = self.query("fleet/services", period=period).with_columns(
            catalogued=pl.lit(value=True)
        )
        seen = self.query("fleet/seen", period=period)
        deployed = self.query("delivery/deployments", period=period)
        known = pl.concat(frame.select("service") for frame in (catalogue, seen, deployed)).unique()
        return (
            known.join(catalogue, on="service", how="left")
            .join(seen, on="service", how="left")
            .with_columns(
                pl.col("catalogued").fill_null(value=False),
                reported=pl.col("request_count").is_not_null()
                | pl.col("service").is_in(deployed["service"].unique().to_list()),
            )
            .sort("service")
        )

    def slo_days(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        """Return ``slo/days`` of a period: the fleet's longest question, asked once each."""
        key = (period, tuple(services))
        if key not in self._days:
            self._days[key] = self.query("slo/days", period=period, services=services)
        return self._days[key]

    def objectives_of(self, services: pl.DataFrame) -> list[Objective]:
        """Return the objectives that apply to these services, each written out for one service.

        ``services`` has a row per service, with the columns of ``fleet/services``.
        """
        return resolve(self.objectives, services.iter_rows(named=True))

    def objectives_at(self, period: Period, services: Sequence[str] = ()) -> list[Objective]:
        """Return the objectives in force at the end of a period, each written for one service.

        Those that cannot be measured here are among them; a composite holds its members.
        """
        written = versions(self.objectives_of(self._of(period, services)))
        until = self.until(period)
        return [version.objective for version in written if version.holds_before(until)]

    def _of(self, period: Period, services: Sequence[str]) -> pl.DataFrame:
        known = self.services(period)
        return known.filter(pl.col("service").is_in(list(services))) if services else known

    def judgements(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        """Return one row per service and objective, judged over its window ending with the period.

        The window of a calendar is the one that the period's end lies in; it may still run. What
        cannot be measured here has no row, nor have a composite's members. Columns:

        - ``service, objective, label, kind`` (availability, latency, events, composite),
          ``method, unit`` (requests, events, slices, burn), ``window_days`` (its usual length),
          ``within_s``
        - ``window_start, window_end`` of the whole window, ``judged_from``: later than its start
          where the objective changed in it; ``is_running``, ``is_estimated``: whether the budget
          rests on expected traffic
        - the fields of ``reliability.budgets.Judgement``, counts in the unit
        - ``burn_1h, burn_6h, alerts`` (severity and window of what fires), ``page_firing``
        - ``excluded_minutes``, ``sli_with_excluded, bad_with_excluded``: the same with excluded
          minutes counted; null where nothing is excluded
        """
        until = self.until(period)

        def judge(names: Sequence[str]) -> pl.DataFrame:
            return judgements(self, until, self._of(period, names), names)

        if self._shared is None:
            return judge(services)
        moments = (period.start, period.end, until)
        everyone = self._once("judgements", moments, lambda: judge(()))
        return everyone.filter(pl.col("service").is_in(services)) if services else everyone

    def earlier_judgements(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        """Return what was judged of the same windows by objectives that have changed in them.

        A row per version that held before; the columns are those of ``judgements``, and
        ``judged_until``: the instant of the change.
        """
        return earlier_judgements(self, self.until(period), self._of(period, services), services)

    def spending(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        """Return what each objective counted over any stretch: a row per service and objective.

        Columns: ``service, objective, label, unit, good_count, valid_count, uncertain_count,
        bad_count`` (in the unit; uncertain ones are bad), ``sli``, ``coverage``.
        """
        part = Period(period.start, self.until(period))
        return spending(self, part, self._of(period, services), services)

    def service(self, name: str, period: Period) -> ServiceView:
        """Return one service's data over a period, each part fetched when it is first used.

        Raises:
            UnknownService: neither the catalogue nor the data knows it.
        """
        known = self.services(period)
        about = known.filter(pl.col("service") == name)
        if about.is_empty():
            raise UnknownService(_no_service(name, known["service"].to_list(), period))
        return ServiceView(self, period, about.row(0, named=True))

    def squad(self, name: str, period: Period) -> SquadView:
        """Return the data of a squad's services, each part fetched when it is first used.

        Raises:
            UnknownSquad: it owned no service at the end of the period.
        """
        known = self.services(period)
        mine = known.filter(pl.col("squad") == name)
        if mine.is_empty():
            squads = known["squad"].drop_nulls().unique().sort().to_list()
            raise UnknownSquad(
                f"no service of {period} belongs to a squad {name!r}.{nearest(name, squads)} "
                f"Squads are {', '.join(squads) or 'none'}"
            )
        return SquadView(self, period, name, mine)

    def overview(self, period: Period) -> Overview:
        """Return the whole fleet's data over a period, each part fetched when it is first used."""
        return Overview(self, period)

    @property
    def measures(self) -> list[Measure]:
        """What ``rollup`` has to count: all that the objectives of all services measure."""
        ever = Period(instant("2000-01-01"), self.complete_until + _DAY)
        known = self.services(ever)
        # Before the first rollup the data names no service yet; an objective may all the same.
        own = {one.service for one in self.objectives if one.for_condition is None}
        named = pl.DataFrame(
            {"service": sorted(own - set(known["service"]))}, {"service": pl.String}
        )
        return measures_of(self.objectives_of(pl.concat([known, named], how="diagonal")))

    def rollup(
        self, progress: Progress | None = None, *, since: datetime | None = None
    ) -> RollupReport:
        """Bring hours, days and ``slo_minutes`` up to date; see ``Warehouse.rollup``."""
        return self.warehouse.rollup(self.measures, progress, since=since)


def _no_service(name: str, known: list[str], period: Period) -> str:
    return (
        f"no service {name!r} in {period}.{nearest(name, known)} "
        "'fleetslo query fleet/services' lists them"
    )


def open_fleet(url: str | None = None) -> Fleet:
    """Return the fleet in the warehouse that the settings, or ``url``, name.

    In JupyterLab each cell shows what its questions to BigQuery cost, and asks before one that
    reads more than the limit. In a notebook of a batch its questions are answered from what the
    batch asked once for all.

    Raises:
        SettingsError: a setting is wrong.
        WarehouseMissing: there is no warehouse there.
    """
    settings = load_settings({"warehouse": url}).settings
    if settings.batch is not None:
        extracts = Extracts(settings.batch, settings.report, settings.page)
        if url is None or url == extracts.url:
            return Fleet(settings, extracts)
    warehouse = open_warehouse(settings.warehouse)
    warehouse.watch(CellWatcher(settings.price_per_tib))
    return Fleet(settings, warehouse)
