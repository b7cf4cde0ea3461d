"""The pieces a service is made of: traffic, latency, faults, rows, objectives."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from demo_made import measures

from fleetslo.warehouse.demo.background import background
from fleetslo.warehouse.demo.calls import add_calls
from fleetslo.warehouse.demo.catalogue import Service, make_services, random_for
from fleetslo.warehouse.demo.clock import (
    DAY,
    LENGTH,
    WINDOW,
    Size,
    at,
    minute_of,
    moment,
    utc_offsets,
)
from fleetslo.warehouse.demo.faults import ErrorCounts, kinds_of
from fleetslo.warehouse.demo.latency import (
    LatencyModel,
    Pace,
    latency_model,
    places_for_rounding,
    spread_counts,
)
from fleetslo.warehouse.demo.plan import Plan
from fleetslo.warehouse.demo.rows import Histograms, Rows, Words, exact
from fleetslo.warehouse.demo.runtimes import add_runtimes
from fleetslo.warehouse.demo.service import ServiceMaker, kept_minutes
from fleetslo.warehouse.demo.slo import Tallies, chosen
from fleetslo.warehouse.demo.traffic import LATTICE, between, lattice_rate, minute_rate, noise
from fleetslo.warehouse.measures import Measure

SERVICES = {service.name: service for service in make_services("small", 1)}
SHORT = Size(services=24, minutes=1, calls=1, slo_minutes=2, hours=4, days=8, groups=1)


def made(plan: Plan, name: str, size: Size = SHORT) -> tuple[ServiceMaker, dict[str, pl.DataFrame]]:
    """Return a service's maker and its tables, of a shorter history."""
    words = Words()
    wanted = measures(pl.DataFrame({"service": [name]}))
    maker = ServiceMaker(SERVICES[name], replace(plan, size=size), wanted, words)
    maker.make()
    add_calls(maker)
    add_runtimes(maker)
    texts = pl.Series("text", words.texts, dtype=pl.String)
    return maker, {
        table: Rows.joined(rows).frame(texts, "time") for table, rows in maker.made.rows.items()
    }


def test_noise_has_the_spread_and_memory_it_is_given() -> None:
    series = noise(np.random.default_rng(1), 200_000, 0.5, 10)
    assert series.mean() == pytest.approx(0, abs=0.02)
    assert series.std() == pytest.approx(0.5, rel=0.03)
    # AR(1) with memory of ten steps: neighbours correlate by exp(-1/10) = 0.905.
    assert np.corrcoef(series[:-1], series[1:])[0, 1] == pytest.approx(0.905, abs=0.01)
    assert len(noise(np.random.default_rng(1), 0, 1, 1)) == 0


def test_traffic_means_what_the_catalogue_says() -> None:
    service = SERVICES["session-store"]
    rates = [lattice_rate(service, region, share, 1) for region, share in service.regions]
    assert np.sum(rates, axis=0).mean() == pytest.approx(service.part.rpm, rel=0.15)


def test_a_day_begins_with_its_region_and_follows_summer_time() -> None:
    offsets = utc_offsets("Europe/Stockholm")
    # Summer time ends on 25 October 2026 at 01:00 UTC.
    change = minute_of(datetime(2026, 10, 25, 1, tzinfo=UTC)) // 60
    assert (offsets[change - 1], offsets[change]) == (120, 60)
    service = SERVICES["checkout"]
    lattice = lattice_rate(service, "europe-west1", 1.0, 1)
    weeks = lattice[-6 * 7 * DAY // 10 :].reshape(-1, DAY // 10).mean(axis=0)
    assert 1 <= weeks.argmin() * 10 / 60 <= 4
    assert 16 <= weeks.argmax() * 10 / 60 <= 20


def test_offices_rest_at_weekends() -> None:
    lattice = lattice_rate(SERVICES["royalty-ledger"], "europe-west1", 1.0, 1)
    # The history ends with a Saturday.
    days = lattice.reshape(-1, DAY // 10).mean(axis=1)
    saturdays, wednesdays = days[-1::-7].mean(), days[-4::-7].mean()
    assert saturdays < 0.4 * wednesdays


def test_cron_jobs_start_on_the_hour() -> None:
    service = SERVICES["notifications"]
    flat = np.full(LATTICE, 10.0)
    minutes = np.arange(LENGTH - DAY, LENGTH)
    rate = minute_rate(service, flat, minutes, 1, "test").reshape(24, 60).mean(axis=0)
    assert rate[0] > 2 * rate[30]
    assert rate.mean() == pytest.approx(10, rel=0.05)


def test_between_points_of_the_lattice_are_straight_lines() -> None:
    lattice = np.arange(LATTICE, dtype=float)
    # The value of a step belongs to its middle, five minutes after it begins.
    assert between(lattice, np.array([5, 10, 15, 25])).tolist() == [0, 0.5, 1, 2]


def test_the_usual_faults_spend_their_share_of_the_budget() -> None:
    service = SERVICES["playlist-read"]
    usual = background(service, 1)
    minutes = np.arange(LENGTH - WINDOW, LENGTH)
    rate = sum(between(lattice, minutes) for lattice in usual.rates.values())
    share = (usual.fault_share(minutes, 1) * rate).sum() / np.sum(rate)
    # 56 % of 0.1 %.
    assert share == pytest.approx(0.00056, rel=0.05)
    hours = usual.fault_share(minutes[::60], 60)
    assert hours.mean() == pytest.approx(usual.fault_share(minutes, 1).mean(), rel=0.02)


@pytest.mark.parametrize("habit", ["steady", "peak", "nightly"])
def test_faults_have_habits(habit: str) -> None:
    usual = background(replace(SERVICES["follow-graph"], habit=habit), 1)
    by_hour = usual.faults.reshape(-1, 24, 6).mean(axis=(0, 2))
    spread = by_hour.max() / by_hour.min()
    assert {"steady": 1 < spread < 2.5, "peak": spread > 1.5, "nightly": spread > 3}[habit]
    assert habit != "nightly" or by_hour.argmax() <= 4


@pytest.fixture(scope="module")
def model() -> LatencyModel:
    return latency_model(SERVICES["search-query"], 1)


def test_cumulative_shares_rise_to_one(model: LatencyModel) -> None:
    pace = Pace(np.array([-3.0, 0, 20]), np.array([0, 0.5, 1]), np.array([0, 0.01, 0.5]))
    shares = model.cumulative(pace)
    assert (np.diff(shares, axis=1) >= -1e-6).all()
    assert shares[:, -1] == pytest.approx(1)
    edges = np.array([10, 60])
    assert model.at_edges(edges, pace) == pytest.approx(shares[:, edges], abs=1e-6)


def test_slower_colder_and_longer_tails_are_slower(model: LatencyModel) -> None:
    zero = np.zeros(1)
    usual = model.slow_share(Pace(zero, zero, zero))
    assert model.slow_share(Pace(zero + 10, zero, zero)) > usual
    assert model.slow_share(Pace(zero, zero + 1, zero)) > usual
    assert model.slow_share(Pace(zero, zero, zero + 0.2)) > usual


def test_a_threshold_lies_in_its_bucket(model: LatencyModel) -> None:
    # 0.3 s lies in bucket -28, from 0.2973 to 0.3105 s; 1 s ends bucket -1.
    assert model.places(0.3) == (-29 - model.first_bucket, -28 - model.first_bucket)
    assert model.places(1.0) == (-1 - model.first_bucket, -1 - model.first_bucket)
    assert model.cut == model.places(0.3)[0]


def test_the_usual_tail_spends_its_share_of_the_budget() -> None:
    service = SERVICES["search-query"]
    usual = background(service, 1).recent()
    fitted = latency_model(service, 1, usual)
    slow = 0.0
    for region, share in service.regions:
        for endpoint in service.endpoints:
            shift = usual.shift + endpoint.pace + {"europe-west1": 0.0, "us-central1": 1.0}[region]
            pace = Pace(shift, usual.cold, usual.tail * fitted.tail_share)
            slow += share * endpoint.share * fitted.slow_share(pace).mean()
    # 52 % of 1 %.
    assert slow == pytest.approx(0.0052, rel=0.02)


def test_spreading_keeps_every_count_and_each_bucket_within_one() -> None:
    random = np.random.default_rng(4)
    shares = np.sort(random.random((500, 40)), axis=1)
    shares[:, -1] = 1
    counts = random.integers(0, 1000, 500)
    running = spread_counts(counts, shares, places_for_rounding(random, 500, shares))
    dense = np.diff(running, axis=1, prepend=0)
    assert (dense.sum(axis=1) == counts).all()
    expected = np.diff(shares, axis=1, prepend=0) * counts[:, None]
    assert np.abs(dense - expected).max() <= 1
    assert dense.min() >= 0


def test_a_lone_request_falls_where_its_share_says() -> None:
    shares = np.tile([0.2, 0.9, 1.0], (100_000, 1))
    at_random = places_for_rounding(np.random.default_rng(2), 100_000, shares)
    running = spread_counts(np.ones(100_000, dtype=np.int64), shares, at_random)
    found = np.diff(running, axis=1, prepend=0).mean(axis=0)
    assert found == pytest.approx([0.2, 0.7, 0.1], abs=0.01)


def test_histograms_are_taken_summed_and_joined() -> None:
    dense = np.array([[0, 2, 1], [0, 0, 0], [5, 0, 7]])
    one = Histograms.of_dense(dense, -10)
    assert one.lengths.tolist() == [2, 0, 2]
    assert one.buckets.tolist() == [-9, -8, -10, -8]
    assert Histograms.of_running(dense.cumsum(axis=1), -10).counts.tolist() == one.counts.tolist()
    # 2 x 20 + 1 x 30, nothing, 5 x 10 + 7 x 30.
    assert one.sums(np.array([10.0, 20, 30]), -10).tolist() == [70, 0, 260]
    both = Histograms.joined([one, one.take(np.array([2, 0]))])
    assert both.dense(np.array([0, 0, 1, 1, 0]), 2, -10, 3).tolist() == [[0, 4, 2], [10, 0, 14]]
    assert both.series().to_list()[3] == [{"bucket": -10, "count": 5}, {"bucket": -8, "count": 7}]
    assert Histograms.joined([]).lengths.tolist() == []


def test_rows_are_sorted_by_day_then_letters_then_minute() -> None:
    words = Words()
    rows = Rows(
        {
            "time": np.array([DAY + 1, 5, 3, 3]),
            "service": words.numbers(["a", "b", "b", "a"]),
            "upstream": np.array([0, words.number("z"), 0, words.number("z")]),
        },
        ("service", "upstream"),
    )
    texts = pl.Series("text", words.texts, dtype=pl.String)
    order = rows.order(("service", "upstream", "time"), texts)
    # a at minute 3, b without an upstream, b with one; the next day's a last.
    assert order.tolist() == [3, 2, 1, 0]
    assert rows.take(order).frame(texts, "minute")["upstream"].to_list() == ["z", None, "z", None]


def test_exact_durations_add_up_in_any_order() -> None:
    durations = exact(np.random.default_rng(1).random(1000) * 100)
    assert durations.sum() == durations[::-1].sum() == np.sort(durations).cumsum()[-1]


def test_faults_are_spread_over_kinds_and_kept_in_number() -> None:
    kinds = kinds_of(SERVICES["checkout"], 1)
    counts = np.array([0, 1, 0, 250, 3])
    errors = ErrorCounts()
    errors.split(counts, kinds.usual, kinds.usual_shares, np.random.default_rng(1))
    rows, numbers, found = errors.summed(None, len(kinds.made))
    assert np.bincount(rows, found, 5).tolist() == counts.tolist()
    assert all(kinds.made[number][2] for number in numbers)
    hours, _, found = errors.summed(np.array([0, 0, 0, 1, 1]), len(kinds.made))
    assert np.bincount(hours, found).tolist() == [1, 253]
    assert [part.tolist() for part in ErrorCounts().summed(None, 3)] == [[], [], []]


def test_globs_choose_names() -> None:
    assert chosen((), "GET /cart")
    assert chosen(("POST *", "GET /c*"), "GET /cart")
    assert not chosen(("POST *",), "GET /cart")


def test_thresholds_outside_of_the_buckets_count_all_or_nothing(model: LatencyModel) -> None:
    some = [
        Measure("never", "1", ("s",), "successful", 1e-6),
        Measure("always", "2", ("s",), "successful", 1000.0),
        Measure("slow-always", "3", ("s",), "successful", 1e-6, op="gt"),
        Measure("slow-never", "4", ("s",), "successful", 1000.0, op="gte"),
    ]
    remembered = np.zeros(LENGTH, dtype=bool)
    remembered[10:12] = True
    tallies = Tallies("s", some, remembered)
    edges = tallies.edges(model)
    minutes = np.array([9, 10, 11])
    counts = np.array([5, 6, 7])
    running = np.tile(counts[:, None], (1, len(edges)))
    rows = [counts > 0] * len(some)
    tallies.add(minutes, rows, counts, counts * 0, running, edges, model, is_guess=False)
    found = [tally.good.tolist() for tally in tallies.tallies]
    assert found == [[0, 0], [6, 7], [6, 7], [0, 0]]
    assert tallies.tallies[0].valid.tolist() == [6, 7]
    assert tallies.covered.tolist() == [True, True]


def test_minutes_around_trouble_are_kept(plan: Plan) -> None:
    service = SERVICES["user-profile"]
    keep = kept_minutes(service, replace(plan, size=replace(plan.size, minutes=1)), 1)
    start, end = at("10-12 19:05"), at("10-12 20:13")
    assert keep[start - 180 : end + 180].all()
    assert not keep[start - 300]
    assert keep[-DAY:].all()
    # Of what takes days, the beginning and the end.
    keep = kept_minutes(SERVICES["search-suggest"], plan, 1)
    assert keep[at("10-19 09:20")]
    assert not keep[at("10-20 21:00")]


def test_a_gap_leaves_no_row(plan: Plan) -> None:
    start, end = at("10-20 12:14"), at("10-20 17:03")
    maker, tables = made(plan, "image-resize", replace(SHORT, slo_minutes=13, hours=13, days=14))
    for table in ("requests", "errors", "requests_hourly", "errors_hourly", "runtimes"):
        # Of hours, those that lie in the gap as a whole.
        is_hourly = table.endswith("hourly") or table == "runtimes"
        first, last = (46, 0) if is_hourly else (0, 3)
        lost = pl.col("time").is_between(
            moment(start + first), moment(end - 3 + last), closed="left"
        )
        assert tables[table].height
        assert tables[table].filter(lost).is_empty(), table
    covered = maker.tallies.covered[maker.tallies.places(np.arange(start - 1, end + 1))]
    assert covered.tolist() == [True] + [False] * (end - start) + [True]


def test_a_sampled_source_counts_by_its_weight(plan: Plan) -> None:
    _, tables = made(plan, "ads-decision")
    rows = tables["requests"]
    assert rows["quality"].unique().to_list() == ["sampled"]
    assert (rows["request_count"] == rows["observed_count"] * 10).all()
    counts = rows["latency"].explode(empty_as_null=False).struct.field("count")
    assert (counts % 10 == 0).all()
    assert (tables["errors"]["error_count"] % 10 == 0).all()


def test_a_client_without_back_off_makes_mistakes_and_no_faults(plan: Plan) -> None:
    _, tables = made(plan, "ads-decision", replace(SHORT, hours=12, days=12))
    during = pl.col("time").is_between(moment(at("10-23 11:00")), moment(at("10-23 12:00")))
    hours = tables["errors_hourly"].filter(pl.col("error") == "429")
    assert not hours["is_fault"].any()
    usual = hours.filter(~during).group_by("time").agg(pl.col("error_count").sum())
    flood = hours.filter(during).group_by("time").agg(pl.col("error_count").sum())
    assert flood["error_count"].min() > 5 * usual["error_count"].mean()


def test_an_approximate_source_is_uncertain_where_it_is_divided(plan: Plan) -> None:
    maker, tables = made(plan, "lyrics")
    assert tables["requests_daily"]["quality"].unique().to_list() == ["approximate"]
    fast = next(it for it in maker.tallies.tallies if it.measure.objective == "a-second")
    assert 0 < fast.uncertain.sum() < 0.2 * fast.valid.sum()
    assert (fast.good + fast.uncertain <= fast.valid).all()


def test_a_leak_fills_the_heap_and_lengthens_pauses(plan: Plan) -> None:
    _, tables = made(plan, "image-resize")
    bad = next(
        it
        for it in plan.effects
        if it.mechanism == "a deployment that leaks memory"
        and it.service == "image-resize"
        and it.start == at("10-26 10:05")
    )
    rows = tables["runtimes"].filter(pl.col("time") < pl.datetime(2026, 10, 29, 2, time_zone="UTC"))
    full = (pl.col("heap_used_bytes") / pl.col("heap_limit_bytes")).mean().alias("full")
    leaking = rows.filter(pl.col("version") == bad.version).group_by("time").agg(full).sort("time")
    assert leaking["full"][-1] > 0.9 > leaking["full"][0]
    assert set(rows["runtime"].str.split(" ").list.first()) == {"java"}


def test_what_does_not_run_on_a_jvm_has_no_pauses(plan: Plan) -> None:
    _, tables = made(plan, "token-issuer")
    assert tables["runtimes"]["gc_pause"].list.len().max() == 0
    assert set(tables["runtimes"]["framework"]) == {"grpc-go"}


def test_failing_dependencies_are_seen_in_calls(plan: Plan) -> None:
    _, tables = made(plan, "checkout", replace(SHORT, hours=6, minutes=6, calls=6))
    calls = tables["calls"].filter(pl.col("upstream") == "payments-gateway")
    down = pl.col("time").is_between(
        pl.datetime(2026, 10, 27, 18, 20, time_zone="UTC"),
        pl.datetime(2026, 10, 27, 18, 50, time_zone="UTC"),
    )
    failed = pl.col("error_count").sum() / pl.col("call_count").sum()
    retried = pl.col("retry_count").sum() / pl.col("call_count").sum()
    then = calls.filter(down).select(failed.alias("failed"), retried.alias("retried")).row(0)
    usual = calls.filter(~down).select(failed.alias("failed"), retried.alias("retried")).row(0)
    assert then[0] > 20 * usual[0]
    assert then[1] > 5 * usual[1]


def test_what_was_planted_is_in_the_counts(plan: Plan) -> None:
    maker, tables = made(plan, "checkout", replace(SHORT, days=12))
    october = next(
        it for it in plan.effects if it.service == "checkout" and it.start == at("10-22 13:42")
    )
    planted = [it for it in maker.made.planted if it.effect == october]
    requests = tables["requests"].filter(pl.col("version") == october.version)
    worst = requests.filter(pl.col("endpoint") == "POST /v1/orders")
    others = requests.filter(pl.col("endpoint") != "POST /v1/orders")
    added = sum(int(it.faults.sum()) for it in planted)
    assert 0.9 * worst["error_count"].sum() < added <= worst["error_count"].sum()
    assert others["error_count"].sum() < 0.02 * others["request_count"].sum()


def test_the_random_source_depends_on_what_it_is_for() -> None:
    assert random_for(1, "a").random() == random_for(1, "a").random()
    assert random_for(1, "a").random() != random_for(1, "b").random()
    assert random_for(1, "a").random() != random_for(2, "a").random()


def test_services_without_a_gap_are_covered_throughout() -> None:
    service: Service = SERVICES["checkout"]
    assert len(service.covered(np.arange(100))) == 100
