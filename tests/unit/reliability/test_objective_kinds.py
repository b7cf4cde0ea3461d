"""Every kind of objective that OpenSLO v1 has: methods, windows, metrics, composites, histories."""

import datetime as dt
from datetime import UTC, date, datetime, timedelta

import pytest
from slo_documents import CHECKOUT, GONE, GOOD, RATIO, TOTAL, changed, only, refusal, written

from fleetslo.reliability.objectives import (
    Selector,
    in_force,
    read_objectives,
    remarks,
    resolve,
)
from fleetslo.reliability.windows import CalendarWindow, RollingWindow

ENTRY = "spec.objectives.0"
WINDOW = "spec.timeWindow.0"
NEW_YORK = {"startTime": "2020-01-21 12:30:00", "timeZone": "America/New_York"}
PROMETHEUS = {"metricSource": {"type": "Prometheus", "spec": {"query": "up"}}}
SPEC = "spec.indicator.spec"


def ours(**spec: object) -> dict:
    return {"metricSource": {"type": "fleetslo", "spec": spec}}


# Methods


def test_time_slices(tmp_path):
    cut = {"target": 0.9, "timeSliceTarget": 0.95, "timeSliceWindow": "5m"}
    found = only(tmp_path, changed({"spec.budgetingMethod": "Timeslices", ENTRY: cut}))
    assert found.method == "Timeslices"
    assert found.slice_length == timedelta(minutes=5)
    assert (found.slice_target, found.target, found.no_data) == (0.95, 0.9, None)
    assert found.unmeasured is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        # OpenSLO, notes on objectives: "e.g. 5, 1m, 10m, 2h, 1d", a number is minutes.
        (5, timedelta(minutes=5)),
        (5.0, timedelta(minutes=5)),
        ("1m", timedelta(minutes=1)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_lengths_of_slices(tmp_path, text, length):
    ratio = {"spec.budgetingMethod": "RatioTimeslices", f"{ENTRY}.timeSliceWindow": text}
    found = only(tmp_path, changed(ratio))
    assert found.slice_length == length
    assert found.slice_target is None


def test_slices_inside_a_minute_are_valid_and_cannot_be_told_apart_here(tmp_path):
    ratio = {"spec.budgetingMethod": "RatioTimeslices", f"{ENTRY}.timeSliceWindow": 0.5}
    found = only(tmp_path, changed(ratio))
    assert found.unmeasured == "its slices are no whole minutes"
    assert found.measured == ()
    # What is counted is known all the same.
    assert found.selector.within_s == 0.3


def test_a_slice_longer_than_its_window(tmp_path):
    ratio = {"spec.budgetingMethod": "RatioTimeslices", f"{ENTRY}.timeSliceWindow": "5w"}
    message = refusal(tmp_path, changed(ratio))
    assert "timeSliceWindow is '5w'; a slice is no longer than the window" in message


def test_what_a_slice_without_data_counts_as(tmp_path):
    bad = {"metadata.annotations": {"fleetslo/no-data": "bad"}}
    ratio = {"spec.budgetingMethod": "RatioTimeslices", f"{ENTRY}.timeSliceWindow": "1m"}
    assert only(tmp_path, changed({**ratio, **bad})).no_data == "bad"
    assert "it belongs to Timeslices and RatioTimeslices" in refusal(tmp_path, changed(bad))


# Windows


@pytest.mark.parametrize("start", ["2020-01-21 12:30:00", dt.datetime(2020, 1, 21, 12, 30)])  # noqa: DTZ001
@pytest.mark.parametrize(
    ("duration", "count", "unit"),
    [
        ("1m", 1, "minute"),
        ("1M", 1, "month"),
        ("2w", 2, "week"),
        ("366d", 366, "day"),
        ("1Q", 1, "quarter"),
        ("1Y", 1, "year"),
        ("12h", 12, "hour"),
    ],
)
def test_calendar_windows(tmp_path, start, duration, count, unit):
    window = {"duration": duration, "calendar": {**NEW_YORK, "startTime": start}}
    found = only(tmp_path, changed({WINDOW: window}))
    anchor = datetime(2020, 1, 21, 12, 30)  # noqa: DTZ001 — local time of the zone
    assert found.window == CalendarWindow(count, unit, anchor, "America/New_York")


def test_a_window_that_begins_inside_a_minute_cannot_be_counted_by_the_minute(tmp_path):
    window = {"duration": "1M", "calendar": {**NEW_YORK, "startTime": "2020-01-21 12:30:15"}}
    assert (
        only(tmp_path, changed({WINDOW: window})).unmeasured == "its windows begin inside a minute"
    )
    micro = dt.datetime(2020, 1, 21, 12, 30, 0, 5)  # noqa: DTZ001
    window["calendar"]["startTime"] = micro
    assert "whole seconds" in refusal(tmp_path, changed({WINDOW: window}))


def test_a_window_of_a_minute_was_probably_meant_to_be_a_month(tmp_path):
    # As in OpenSLO's examples/budgeting-method/timeslices-slo.yaml: "1m # 1 month time window".
    found = only(tmp_path, changed({f"{WINDOW}.duration": "1m"}))
    assert "its window is 1 min; 1m is a minute, 1M a month" in remarks(found)


# Metrics


@pytest.mark.parametrize(
    ("bad", "total", "selector"),
    [
        ({"requests": "failed"}, {"requests": "all"}, Selector(requests="all")),
        (
            {"requests": "successful", "over_s": 0.3, "regions": ["eu"]},
            {"requests": "successful", "regions": ["eu"]},
            Selector(requests="successful", within_s=0.3, regions=("eu",)),
        ),
        ({"sli": "lag"}, {"sli": "lag"}, Selector(sli="lag")),
    ],
)
def test_a_ratio_of_bad_events_is_the_ratio_of_the_others(tmp_path, bad, total, selector):
    # OpenSLO, "Ratio Metric": indicatorValue = (total - bad) / total, the same value as good / total.
    found = only(tmp_path, changed({RATIO: {"bad": ours(**bad), "total": ours(**total)}}))
    assert found.selector == selector
    assert found.selector.definition == selector.definition


@pytest.mark.parametrize(
    ("bad", "total", "rule"),
    [
        ({"requests": "failed", "over_s": 1}, {"requests": "all"}, "bad however long it took"),
        ({"requests": "failed"}, {"requests": "successful"}, "none of the requests that failed"),
        ({"requests": "successful"}, {"requests": "successful"}, "over_s is missing; a successful"),
        ({"requests": "successful", "over_s": 1}, {"requests": "all"}, "that failed would be good"),
        ({"requests": "all"}, {"requests": "all"}, "it must be failed or successful"),
        ({"requests": "failed", "within_s": 1}, {"requests": "all"}, "no field 'within_s' here"),
        ({"requests": "failed", "regions": ["eu"]}, {"requests": "all"}, "must name the same"),
    ],
)
def test_ratios_of_bad_events_that_mean_something_else(tmp_path, bad, total, rule):
    ratio = {RATIO: {"bad": ours(**bad), "total": ours(**total)}}
    assert rule in refusal(tmp_path, changed(ratio))


@pytest.mark.parametrize(
    ("op", "says"),
    [
        ("lte", "successful requests within 0.5 s to GET /*"),
        ("lt", "successful requests under 0.5 s to GET /*"),
        ("gte", "successful requests of 0.5 s or more to GET /*"),
        ("gt", "successful requests over 0.5 s to GET /*"),
    ],
)
def test_a_threshold_metric_measures_how_long_requests_take(tmp_path, op, says):
    spec = {"thresholdMetric": ours(requests="successful", endpoints=["GET /*"])}
    slo = changed({SPEC: spec, f"{ENTRY}.op": op, f"{ENTRY}.value": 0.5})
    selector = only(tmp_path, slo).selector
    assert selector == Selector("successful", 0.5, endpoints=("GET /*",), op=op)
    assert selector.says == says


def test_a_threshold_at_most_is_the_ratio_within(tmp_path):
    threshold = changed(
        {
            SPEC: {"thresholdMetric": ours(requests="successful", endpoints=["GET /cart*"])},
            f"{ENTRY}.op": "lte",
            f"{ENTRY}.value": 0.3,
        }
    )
    definitions = {only(tmp_path, one).selector.definition for one in (threshold, CHECKOUT)}
    assert len(definitions) == 1


def test_operators_have_definitions_of_their_own():
    ops = ("lte", "lt", "gte", "gt")
    assert len({Selector("successful", 0.5, op=op).definition for op in ops}) == 4


@pytest.mark.parametrize(
    ("spec", "value", "rule"),
    [
        ({"requests": "all"}, 1, "requests is 'all'; it must be successful"),
        ({"sli": "lag"}, 1, "its events are good or bad already; count them in a ratioMetric"),
        ({"requests": "successful", "within_s": 1}, 1, "there is no field 'within_s' here"),
        ({"requests": "successful"}, 0, "value is 0; it must be over 0; it is a duration"),
    ],
)
def test_threshold_metrics_that_measure_nothing(tmp_path, spec, value, rule):
    slo = {SPEC: {"thresholdMetric": ours(**spec)}, f"{ENTRY}.op": "lt", f"{ENTRY}.value": value}
    assert rule in refusal(tmp_path, changed(slo))


def test_a_bound_that_belongs_to_the_other_side_leaves_its_bucket_uncertain(tmp_path):
    def remarked(op):
        spec = {"thresholdMetric": ours(requests="successful")}
        slo = {SPEC: spec, f"{ENTRY}.op": op, f"{ENTRY}.value": 0.5, f"{WINDOW}.duration": "30d"}
        return remarks(only(tmp_path, changed(slo)))

    # Buckets hold their upper bound: 0.5 s is in the one below it.
    assert remarked("lte") == remarked("gt") == ()
    assert "lte would count them exactly" in remarked("lt")[0]
    assert "gt would count them exactly" in remarked("gte")[0]


# What cannot be measured here


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({f"{RATIO}.good": PROMETHEUS, f"{RATIO}.total": PROMETHEUS}, "from Prometheus"),
        ({f"{RATIO}.total": PROMETHEUS}, "its numbers come from Prometheus"),
        (
            {RATIO: {"raw": PROMETHEUS, "rawType": "success"}},
            "its numbers come from Prometheus",
        ),
        (
            {RATIO: {"raw": ours(requests="all"), "rawType": "failure"}},
            "a ratio that was divided already cannot be summed",
        ),
        (
            {SPEC: {"thresholdMetric": PROMETHEUS}, f"{ENTRY}.op": "lt", f"{ENTRY}.value": 500},
            "its numbers come from Prometheus",
        ),
    ],
)
def test_other_sources_are_kept_with_the_reason(tmp_path, changes, why):
    found = only(tmp_path, changed(changes))
    assert why in (found.unmeasured or "")
    assert found.selector == Selector()
    assert found.measured == ()
    assert (found.target, found.window) == (0.99, RollingWindow(timedelta(days=28)))
    assert resolve([found], [{"service": "checkout"}]) == [found]


def test_a_source_of_another_type_by_reference(tmp_path):
    source = {
        "apiVersion": "openslo/v1",
        "kind": "DataSource",
        "metadata": {"name": "theirs"},
        "spec": {"type": "Datadog"},
    }
    metric = {"metricSourceRef": "theirs", "spec": {"query": "hits"}}
    slo = changed({f"{RATIO}.{side}.metricSource": metric for side in ("good", "total")})
    found = only(tmp_path, slo, source)
    assert found.unmeasured == "its numbers come from Datadog"
    ratio = found.written["indicator"]["spec"]["ratioMetric"]
    assert ratio["good"]["metricSource"] == {"type": "Datadog", "spec": {"query": "hits"}}


def test_other_sources_are_held_to_every_other_rule(tmp_path):
    slo = {f"{RATIO}.good": PROMETHEUS, f"{RATIO}.total": PROMETHEUS, f"{ENTRY}.op": "gt"}
    assert "op is 'gt'; it belongs to a thresholdMetric" in refusal(tmp_path, changed(slo))


# Composites


def part(target: float, name: str | None = None, **changes: object) -> dict:
    shown = {} if name is None else {"displayName": name}
    return {**shown, "target": target, "indicator": CHECKOUT["spec"]["indicator"], **changes}


def composed(*parts: dict, **changes: object) -> dict:
    base = {"spec.indicator": GONE, "spec.objectives": list(parts)}
    return changed({**base, "metadata.name": "buying", **changes})


def test_a_composite_is_one_objective_of_members(tmp_path):
    found = only(tmp_path, composed(part(0.98, "Foo Errors"), part(0.99, "Bar", compositeWeight=2)))
    assert (found.name, found.display_name, found.selector) == ("buying", None, Selector())
    assert [(m.name, m.label, m.target, m.weight) for m in found.members] == [
        ("buying/foo-errors", "Foo Errors", 0.98, 1.0),
        ("buying/bar", "Bar", 0.99, 2.0),
    ]
    assert found.measured == found.members
    assert {m.selector.within_s for m in found.members} == {0.3}
    # The whole alerts, not each of its parts.
    assert found.alerts
    assert not any(m.alerts for m in found.members)


@pytest.mark.parametrize(
    ("method", "weights", "mean", "target"),
    [
        # OpenSLO, notes on composites: RatioTimeslices of 95 % and 95 % make 90 %.
        ("RatioTimeslices", (1, 1), False, 0.9),
        ("RatioTimeslices", (2, 3), False, 0.75),  # 1 - (2 × 0.05 + 3 × 0.05)
        ("RatioTimeslices", (1, 1), True, 0.95),
        ("Timeslices", (1, 1), False, 0.95),
        ("Occurrences", (5, 1), False, 0.95),
    ],
)
def test_targets_of_composites(tmp_path, method, weights, mean, target):
    cut: dict = {} if method == "Occurrences" else {"timeSliceWindow": "1m"}
    cut |= {"timeSliceTarget": 0.9} if method == "Timeslices" else {}
    annotations = {"fleetslo/composite": "weighted-mean"} if mean else {}
    parts = [part(0.95, compositeWeight=weight, **cut) for weight in weights]
    slo = composed(*parts, **{"spec.budgetingMethod": method, "metadata.annotations": annotations})
    assert only(tmp_path, slo).target == target


def test_the_weighted_mean_of_targets(tmp_path):
    mean = {"metadata.annotations": {"fleetslo/composite": "weighted-mean"}}
    slo = composed(part(0.9), part(0.99, compositeWeight=2), **mean)
    assert only(tmp_path, slo).target == 0.96  # (0.9 + 2 × 0.99) / 3


def test_the_strictest_member_holds_where_shortfalls_do_not_add(tmp_path):
    assert only(tmp_path, composed(part(0.9), part(0.99))).target == 0.99


def test_weights_that_leave_nothing_to_ask_for(tmp_path):
    parts = [part(0.5, compositeWeight=3, timeSliceWindow="1m")]
    slo = composed(*parts, **{"spec.budgetingMethod": "RatioTimeslices"})
    # 1 - 3 × 0.5
    assert "together they ask for -0.5, and must ask for at least 0" in refusal(tmp_path, slo)


def test_a_weight_is_over_0_and_belongs_to_a_composite(tmp_path):
    # OpenSLO/go-sdk, pkg/openslo/v1/slo_test.go: 20 and 999999999999.9999 pass, 0 and -2 do not.
    for weight in (20.0, 999999999999.9999):
        only(tmp_path, composed(part(0.9, compositeWeight=weight)))
    for weight in (0.0, -2.0):
        slo = composed(part(0.9, compositeWeight=weight))
        assert f"compositeWeight is {weight}; it must be over 0" in refusal(tmp_path, slo)
    lone = changed({f"{ENTRY}.compositeWeight": 2})
    assert "compositeWeight is 2; it belongs to a composite" in refusal(tmp_path, lone)
    mean = {"metadata.annotations": {"fleetslo/composite": "weighted-mean"}}
    assert "it belongs to a composite" in refusal(tmp_path, changed(mean))


def test_a_composite_is_measured_when_each_member_is(tmp_path):
    foreign = {"metadata": {"name": "theirs"}, "spec": {"ratioMetric": {"good": PROMETHEUS, "total": PROMETHEUS}}}  # fmt: skip
    found = only(tmp_path, composed(part(0.9, "a"), part(0.9, "b", indicator=foreign)))
    assert found.unmeasured == "of its member b, its numbers come from Prometheus"
    assert found.measured == ()


def test_members_cut_the_window_into_the_same_slices(tmp_path):
    parts = [part(0.9, timeSliceWindow=length) for length in ("1m", "5m")]
    found = only(tmp_path, composed(*parts, **{"spec.budgetingMethod": "RatioTimeslices"}))
    assert found.slice_length is None
    assert found.unmeasured == "its members cut the window into slices of different lengths"


def test_members_may_be_threshold_metrics(tmp_path):
    # "Only one Threshold" is a rule for an indicator that several objectives share.
    spec = {"thresholdMetric": ours(requests="successful")}
    member = part(0.9, op="lt", value=1, indicator={"metadata": {"name": "a"}, "spec": spec})
    assert len(only(tmp_path, composed(member, part(0.9))).members) == 2


def test_a_composite_for_many_services(tmp_path):
    each = {
        "metadata.name": "{service}-buying",
        "spec.service": "{service}",
        "metadata.annotations": {"fleetslo/for": "service in (cart, search)"},
    }
    found = read_objectives(written(tmp_path, composed(part(0.9, "a"), **each)))
    resolved = resolve(found, [{"service": "cart"}, {"service": "search"}])
    assert [(o.name, [m.name for m in o.members], o.members[0].service) for o in resolved] == [
        ("cart-buying", ["cart-buying/a"], "cart"),
        ("search-buying", ["search-buying/a"], "search"),
    ]


# Owner, review, history


def test_whose_it_is_and_when_it_was_last_looked_at(tmp_path):
    said = {"fleetslo/owner": "Payments, Ada", "fleetslo/reviewed": "2026-01-31"}
    found = only(tmp_path, changed({"metadata.annotations": said}))
    assert (found.owner, found.reviewed) == ("Payments, Ada", date(2026, 1, 31))
    silent = only(tmp_path, CHECKOUT)
    assert (silent.owner, silent.reviewed, silent.since) == (None, None, None)
    wrong = changed({"metadata.annotations": {"fleetslo/reviewed": "last week"}})
    assert "'last week'; it must be a date; write 2026-01-31" in refusal(tmp_path, wrong)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("2026-10-15", datetime(2026, 10, 15, tzinfo=UTC)),
        ("2026-10-15T12:30", datetime(2026, 10, 15, 12, 30, tzinfo=UTC)),
        ("2026-10-15T12:30:00Z", datetime(2026, 10, 15, 12, 30, tzinfo=UTC)),
        ("2026-10-15 12:30:00+02:00", datetime(2026, 10, 15, 10, 30, tzinfo=UTC)),
    ],
)
def test_since_when_it_holds(tmp_path, text, since):
    assert (
        only(tmp_path, changed({"metadata.annotations": {"fleetslo/since": text}})).since == since
    )


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-10-15T12:30:05"])
def test_instants_that_are_none(tmp_path, text):
    message = refusal(tmp_path, changed({"metadata.annotations": {"fleetslo/since": text}}))
    assert f"fleetslo/since is '{text}'; it must be a date, or a date and time" in message


def later(text: str, **changes: object) -> dict:
    return changed({"metadata.annotations": {"fleetslo/since": text}, **changes})


def test_documents_of_one_name_are_the_history_of_an_objective(tmp_path):
    strict = later("2026-10-15", **{f"{ENTRY}.target": 0.999})
    path = written(tmp_path, strict, CHECKOUT)
    resolved = resolve(read_objectives(path), [{"service": "checkout"}])
    assert [(o.target, o.since) for o in resolved] == [
        (0.99, None),
        (0.999, datetime(2026, 10, 15, tzinfo=UTC)),
    ]

    def target(day: int) -> float:
        (one,) = in_force(resolved, datetime(2026, 10, day, tzinfo=UTC))
        return one.target

    assert (target(14), target(15), target(16)) == (0.99, 0.999, 0.999)
    assert in_force([resolved[1]], datetime(2026, 10, 14, tzinfo=UTC)) == []


def test_a_history_is_of_one_service_and_never_says_two_things_at_once(tmp_path):
    message = refusal(tmp_path, later("2026-10-15"), later("2026-10-15T00:00Z"))
    assert "a SLO of this name stands in" in message
    assert "say fleetslo/since when it changed" in message
    message = refusal(tmp_path, CHECKOUT, later("2026-10-15", **{"spec.service": "search"}))
    assert "already, for another service" in message


def test_an_objective_of_one_service_wins_over_one_for_many_from_its_beginning_on(tmp_path):
    many = {
        "metadata.name": "{service}-latency",
        "spec.service": "{service}",
        f"{ENTRY}.target": 0.5,
    }
    always = changed({**many, "metadata.annotations": {"fleetslo/for": "service = checkout"}})
    newest = {"fleetslo/for": "service = checkout", "fleetslo/since": "2026-10-20"}
    template = changed({**many, "metadata.annotations": newest})
    path = written(tmp_path, always, template, later("2026-10-15"))
    resolved = resolve(read_objectives(path), [{"service": "checkout"}])
    assert [(o.target, o.since and o.since.day) for o in resolved] == [(0.5, None), (0.99, 15)]


def test_clauses_of_annotations_that_do_not_exist(tmp_path):
    wrong = changed({"metadata.annotations": {"fleetslo/ownr": "me"}})
    assert "Did you mean 'fleetslo/owner'?" in refusal(tmp_path, wrong)


def test_selectors_of_slo_md_are_untouched(tmp_path):
    found = only(tmp_path, changed({GOOD: {"requests": "successful"}, TOTAL: {"requests": "all"}}))
    assert found.selector.op == "lte"
    # As it was rolled up before there were other operators.
    assert found.selector.definition == "74158b935d35"
