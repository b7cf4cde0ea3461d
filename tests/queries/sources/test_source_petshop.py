"""PetShop's metrics as requests: exact counts, honest errors, a histogram that gives them back."""

import math
from datetime import UTC, datetime
from statistics import NormalDist

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetslo.errors import WarehouseError
from fleetslo.reliability.latency import bucket_of, quantile, spread_percentiles
from fleetslo.warehouse.sources import read_source

NOON = datetime(2023, 8, 22, 12, tzinfo=UTC)
WHOLE = {"traffic": "low_traffic", "splits": ["noissue"]}
KNOTS = {0.5: "p50_s", 0.9: "p90_s", 0.95: "p95_s", 0.99: "p99_s"}


def metrics(service, requests, availability, *percentiles, **others):
    p50, p90, p95, p99 = percentiles or (None,) * 4
    row = {
        "traffic": "low_traffic", "split": "noissue", "case": None, "unix_ts": int(NOON.timestamp()),
        "microservice": service, "requests": requests, "availability_pct": availability,
        "p50_s": p50, "p90_s": p90, "p95_s": p95, "p99_s": p99, "avg_latency_s": p50,
    }  # fmt: skip
    return row | others


def counts(row):
    return {bucket["bucket"]: bucket["count"] for bucket in row["latency"]}


def test_a_row_becomes_a_row(ask):
    [row] = ask("petshop/requests", [metrics("PetSite", 3, 100.0, 0.25, 0.25, 0.25, 0.25)], **WHOLE)
    assert row == {
        "minute": NOON, "service": "PetSite", "endpoint": "", "region": "", "version": "",
        "request_count": 3, "error_count": 0, "duration_sum_s": 0.75,
        # 0.25 s is 2**-2, the upper bound of bucket -33: (-33 + 1) / 16 = -2.
        "latency": [{"bucket": -33, "count": 3}],
        "quality": "approximate", "observed_count": 3,
    }  # fmt: skip


def test_unknown_availability_is_not_zero_errors(ask):
    rows = [
        metrics(
            "idle", 0, None
        ),  # served nothing: 0 of 0 claims nothing, and the minutes are covered
        metrics("unknown", 12, None, 0.1, 0.1, 0.1, 0.1),  # left out: nobody knows how many failed
    ]
    [row] = ask("petshop/requests", rows, **WHOLE)
    assert (row["service"], row["request_count"], row["error_count"]) == ("idle", 0, 0)
    assert (row["duration_sum_s"], row["latency"]) == (None, [])


def test_errors_are_what_availability_lacks(ask):
    rows = [
        metrics("a nearly always 0", 5, 0.0, 0.1, 0.1, 0.1, 0.1),
        metrics("b PetSite", 1193, 40.65381, 0.1, 0.1, 0.1, 0.1),  # 1193 × 0.5934619 = 708.0
        metrics("c half a request", 9, 50.0, 0.1, 0.1, 0.1, 0.1),  # 4.5 rounds away from zero: 5
    ]
    never, site, half = ask("petshop/requests", rows, **WHOLE)
    assert (never["error_count"], never["latency"], never["duration_sum_s"]) == (5, [], 0)
    assert (site["error_count"], sum(counts(site).values())) == (708, 1193 - 708)
    assert (half["error_count"], sum(counts(half).values())) == (5, 4)


def test_without_percentiles_the_counts_stay_and_the_histogram_is_empty(ask):
    rows = [
        metrics("a none", 9, 100.0),
        metrics("b one is missing", 9, 100.0, 0.1, 0.2, None, 0.4),
        metrics("c zero", 9, 100.0, 0.0, 0.2, 0.3, 0.4),
    ]
    for row in ask("petshop/requests", rows, **WHOLE):
        assert (row["request_count"], row["error_count"], row["latency"]) == (9, 0, [])


def test_the_request_of_each_rank_is_where_its_percentile_is(ask):
    # Of 100 requests the 50th takes p50, the 90th p90, the 95th p95 and the 99th p99.
    [row] = ask("petshop/requests", [metrics("PetSite", 100, 100.0, 0.1, 0.2, 0.4, 0.8)], **WHOLE)
    for seconds, rank in ((0.1, 50), (0.2, 90), (0.4, 95), (0.8, 99)):
        at_or_under = sum(
            count for bucket, count in counts(row).items() if bucket <= bucket_of(seconds)
        )
        under = sum(count for bucket, count in counts(row).items() if bucket < bucket_of(seconds))
        assert under < rank <= at_or_under
    # The slowest is half as far above p99 as p99 is above p95: 0.8 × √2.
    assert max(counts(row)) == bucket_of(0.8 * 2**0.5)


def test_of_percentiles_that_are_one_request_the_highest_stands(ask):
    # One request: p50 to p99 are all of it. Of fifteen, the last is p95 and p99.
    rows = [
        metrics("a one", 1, 100.0, 0.1, 0.2, 0.3, 0.4),
        metrics("b fifteen", 15, 100.0, 0.1, 0.2, 0.3, 0.4),
    ]
    one, fifteen = ask("petshop/requests", rows, **WHOLE)
    assert counts(one) == {bucket_of(0.4): 1}
    assert max(counts(fifteen)) == bucket_of(0.4)
    assert bucket_of(0.3) not in counts(fifteen)


def test_percentiles_out_of_order_are_taken_to_be_no_lower_than_those_before(ask):
    [row] = ask("petshop/requests", [metrics("sketchy", 200, 100.0, 0.2, 0.1, 0.3, 0.2)], **WHOLE)
    assert sum(counts(row).values()) == 200
    # p90 is p50 (0.2 s), p99 is p95 (0.3 s): nothing lies under the one or over the other.
    assert (min(counts(row)), max(counts(row))) == (bucket_of(0.2), bucket_of(0.3))


def test_one_scenario_and_one_case_at_a_time(ask):
    rows = [
        metrics("quiet", 1, 100.0),
        metrics("other scenario", 1, 100.0, traffic="high_traffic"),
        metrics("issue 1", 1, 100.0, split="test", case="issue_1"),
        metrics("issue 2", 1, 100.0, split="train", case="issue_2"),
    ]

    def names(**parameters):
        return {row["service"] for row in ask("petshop/requests", rows, **parameters)}

    assert names(**WHOLE) == {"quiet"}
    assert names(traffic="low_traffic", splits=["test", "train"]) == {"issue 1", "issue 2"}
    assert names(traffic="low_traffic", splits=["test", "train"], cases=["issue_2"]) == {"issue 2"}


def test_components_are_services_from_their_first_interval_on(ask):
    later = int(NOON.timestamp()) + 300
    rows = [
        metrics("DynamoDB_AWS::DynamoDB", 1, 100.0, unix_ts=later),
        metrics("DynamoDB_AWS::DynamoDB", 1, 100.0),
    ]
    [row] = ask("petshop/services", rows, **WHOLE)
    assert (row["service"], row["system"], row["valid_from"]) == (
        "DynamoDB_AWS::DynamoDB",
        "petshop",
        NOON,
    )
    assert (row["squad"], row["tier"], row["valid_to"]) == (None, None, None)


ISSUE = {
    "traffic": "low_traffic", "split": "test", "case": "issue_1", "root_cause_node": "lambda",
    "target_node": "PetSite", "target_metric": "latency", "change_kind": "code_deploy",
    "issue_unix_ts": int(NOON.timestamp()), "metrics_last_ts": int(NOON.timestamp()) + 600,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change_kind", "cause", "caused_by"),
    [
        ("code_deploy", "deployment", "low_traffic/test/issue_1"),
        ("config_change", "configuration", None),
        ("load", "capacity", None),
        ("act of God", "unknown", None),
    ],
)
def test_every_issue_is_an_incident(ask, change_kind, cause, caused_by):
    rows = [ISSUE | {"change_kind": change_kind}]
    [row] = ask("petshop/incidents", rows, traffic="low_traffic", splits=["test"])
    assert row["incident_id"] == "low_traffic/test/issue_1"
    assert (row["service"], row["cause"], row["caused_by"]) == ("lambda", cause, caused_by)
    assert row["title"] == f"latency of PetSite after {change_kind.replace('_', ' ')}"
    # The last interval begins ten minutes in and is five minutes long.
    assert (row["resolved_at"] - row["started_at"]).total_seconds() == 900


def test_an_issue_that_was_a_code_deployment_is_a_deployment(ask):
    rows = [ISSUE, ISSUE | {"case": "issue_2", "change_kind": "load"}]
    [row] = ask("petshop/deployments", rows, traffic="low_traffic", splits=["test"])
    assert row["deployment_id"] == row["rollout_id"] == "low_traffic/test/issue_1"
    assert row["version"] == "issue_1"
    assert (row["service"], row["started_at"], row["outcome"]) == ("lambda", NOON, "succeeded")
    assert (row["finished_at"], row["region"]) == (None, "")


def written(rows, folder):
    schema = {name: kind.polars for name, kind in read_source("petshop/requests").reads.items()}
    file = folder / "raw.parquet"
    cells = [[row[name] for name in schema] for row in rows]
    pl.DataFrame(cells, schema, orient="row").write_parquet(file)
    return file


def test_a_negative_duration_is_refused(tmp_path):
    row = metrics("impossible", 5, 100.0, -0.1, 0.1, 0.2, 0.3)
    with pytest.raises(WarehouseError, match=r"source petshop/requests: "):
        read_source("petshop/requests").rows([written([row], tmp_path)], WHOLE)


DURATIONS = st.lists(st.floats(1e-5, 60), min_size=4, max_size=4).map(sorted)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(1, 5000), DURATIONS), min_size=1, max_size=30))
def test_every_percentile_comes_back_to_one_bucket(tmp_path, given_rows):
    """Whatever the percentiles: wherever n × (1 − q) ≥ 1, the q quantile of n lies in its bucket."""
    rows = [
        metrics(f"{place:02}", n, 100.0, *durations)
        for place, (n, durations) in enumerate(given_rows)
    ]
    source = read_source("petshop/requests")
    found = source.rows([written(rows, tmp_path)], WHOLE).sort("service")
    for row, answer in zip(rows, found.iter_rows(named=True), strict=True):
        buckets = [bucket["bucket"] for bucket in answer["latency"]]
        amounts = [bucket["count"] for bucket in answer["latency"]]
        assert sum(amounts) == row["requests"]
        for q, column in KNOTS.items():
            if row["requests"] * (1 - q) >= 1 - 1e-9:
                ratio = quantile(buckets, amounts, q) / row[column]
                assert 2 ** (-1 / 16) * (1 - 1e-9) <= ratio <= 2 ** (1 / 16) * (1 + 1e-9)


def test_the_library_spreads_percentiles_to_the_same_buckets(tmp_path):
    """``reliability.latency.spread_percentiles`` puts the same request into the same bucket.

    In between the two differ by their curve: the normal score there, the log-odds here, since SQL
    has no normal distribution. Nothing is known in between; a bucket apart is what that means.
    """
    # Log-normal, median 100 ms and sigma 0.7: the quantile q is 0.1 × exp(0.7 × z(q)).
    knots = {q: 0.1 * math.exp(0.7 * NormalDist().inv_cdf(q)) for q in KNOTS}
    sizes = [2, 10, 20, 57, 100, 101, 999, 5000]
    rows = [metrics(f"{n:05}", n, 100.0, *knots.values()) for n in sizes]
    source = read_source("petshop/requests")
    found = source.rows([written(rows, tmp_path)], WHOLE).sort("service")
    for n, answer in zip(sizes, found.iter_rows(named=True), strict=True):
        mine = [[bucket[key] for bucket in answer["latency"]] for key in ("bucket", "count")]
        slowest = knots[0.99] * math.sqrt(knots[0.99] / knots[0.95])
        theirs = spread_percentiles(n, knots | {1: slowest})
        for q, seconds in knots.items():
            if n * (1 - q) >= 1 - 1e-9:
                rank, bucket = math.ceil(n * q - 1e-9), bucket_of(seconds)
                for buckets, amounts in (mine, theirs):
                    pairs = list(zip(buckets, amounts, strict=True))
                    assert sum(count for at, count in pairs if at < bucket) < rank
                    assert sum(count for at, count in pairs if at <= bucket) >= rank
        if n >= 999:
            for q in (0.6, 0.7, 0.8, 0.925, 0.97):
                ratio = quantile(*mine, q) / quantile(*theirs, q)
                assert abs(math.log2(ratio)) <= 1 / 16
