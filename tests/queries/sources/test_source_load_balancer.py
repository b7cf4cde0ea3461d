"""A load balancer's log as requests and errors: weights, drops, doubles, endpoints, durations."""

from datetime import UTC, datetime

import pytest

from fleetslo.errors import WarehouseError
from fleetslo.reliability.latency import bucket_of
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.sources import read_source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SINK, VIEW = "load-balancer/log_sink", "load-balancer/log_analytics"


def entry(status=200, latency_s=0.25, **others):
    row = {
        "logged_at": NOON.replace(second=7), "service": "cart", "region": "eu", "method": "GET",
        "url": "https://shop.example/cart", "status": status, "latency_s": latency_s,
        "sample_rate": 1.0,
    }  # fmt: skip
    return row | others


def seen(status=200, latency=(0, 250_000_000), **others):
    """Return an entry as Log Analytics has it; each has an id of its own unless one is given."""
    row = entry(status, **({"insert_id": str(next(IDS)), "log_name": "requests"} | others))
    del row["latency_s"]
    return row | {"latency": latency and {"seconds": latency[0], "nanos": latency[1]}}


IDS = iter(range(1_000_000))


def counts(row):
    return {bucket["bucket"]: bucket["count"] for bucket in row["latency"]}


def test_an_entry_becomes_a_request(ask):
    [row] = ask(f"{SINK}/requests", [entry()])
    assert row == {
        "minute": NOON, "service": "cart", "endpoint": "GET /cart", "region": "eu", "version": "",
        "request_count": 1, "error_count": 0, "duration_sum_s": 0.25,
        # 0.25 s is 2**-2, the upper bound of bucket -33: (-33 + 1) / 16 = -2.
        "latency": [{"bucket": -33, "count": 1}], "quality": "exact", "observed_count": 1,
    }  # fmt: skip


def test_only_the_servers_faults_count(ask):
    rows = [
        entry(301, 0.1), entry(404, 0.1), entry(429, 0.1), entry(499, 0.1), entry(200, 0.1),
        entry(500, 3.0), entry(503, 3.0),
    ]  # fmt: skip
    [row] = ask(f"{SINK}/requests", rows)
    # 7 requests, of which 500 and 503 are faults; the five others are in the histogram.
    assert (row["request_count"], row["error_count"]) == (7, 2)
    assert counts(row) == {bucket_of(0.1): 5}
    assert row["duration_sum_s"] == pytest.approx(5 * 0.1)


def test_without_a_status_a_request_was_dropped_unless_its_client_left(ask):
    rows = [
        entry(0, None, status_details="failed_to_pick_backend"),
        entry(None, None),
        entry(0, 0.5, status_details="client_disconnected_before_any_response"),
    ]
    [row] = ask(f"{SINK}/requests", rows)
    assert (row["request_count"], row["error_count"]) == (3, 2)
    assert counts(row) == {bucket_of(0.5): 1}
    faults = {row["error"]: row["is_fault"] for row in ask(f"{SINK}/errors", rows)}
    assert faults == {
        "failed_to_pick_backend": True,
        "no response": True,
        "client_disconnected_before_any_response": False,
    }


def test_a_sampled_entry_stands_for_more_than_one_request(ask):
    # At a rate of 0.4 an entry stands for 2.5 requests. Two of them: 5 requests, not 2 × 3 = 6.
    rows = [entry(200, 0.1, sample_rate=0.4), entry(200, 0.2, sample_rate=0.4)]
    [row] = ask(f"{SINK}/requests", rows)
    assert (row["request_count"], row["error_count"]) == (5, 0)
    # The running total is 2.5, then 5: rounded 3, then 5.
    assert counts(row) == {bucket_of(0.1): 3, bucket_of(0.2): 2}
    assert row["duration_sum_s"] == pytest.approx(2.5 * 0.1 + 2.5 * 0.2)
    assert (row["quality"], row["observed_count"]) == ("sampled", 2)


def test_services_have_sample_rates_of_their_own(ask):
    rows = [
        entry(500, 0.1, service="a", sample_rate=0.1),  # 1 / 0.1 = 10
        entry(200, 0.1, service="a", sample_rate=0.1),
        entry(200, 0.1, service="b", sample_rate=None),  # not sampled
    ]
    a, b = ask(f"{SINK}/requests", rows)
    assert (a["request_count"], a["error_count"], a["quality"]) == (20, 10, "sampled")
    assert (b["request_count"], b["error_count"], b["quality"]) == (1, 0, "exact")


@pytest.mark.parametrize("source", [SINK, VIEW])
def test_errors_are_all_that_was_not_ok(ask, source):
    rows = [
        entry(200), entry(302), entry(404, sample_rate=0.4), entry(404, sample_rate=0.4),
        entry(503), entry(503), entry(503),
    ]  # fmt: skip
    rows = [
        row | {"insert_id": str(place), "log_name": "requests"} for place, row in enumerate(rows)
    ]
    rows = [{k: v for k, v in row.items() if k != "latency_s"} for row in rows]
    missing, broken = ask(f"{source}/errors", rows)
    # 2 × 2.5 = 5
    assert (missing["error"], missing["error_count"], missing["is_fault"]) == ("404", 5, False)
    assert (broken["error"], broken["error_count"], broken["is_fault"]) == ("503", 3, True)
    assert (broken["minute"], broken["endpoint"], broken["upstream"]) == (NOON, "GET /cart", None)


@pytest.mark.parametrize(
    ("method", "url", "endpoint"),
    [
        ("GET", "https://shop.example/cart/17?size=2", "GET /cart/{id}"),
        ("GET", "https://shop.example/cart/17/items/4/", "GET /cart/{id}/items/{id}"),
        ("PUT", "http://shop.example:8080/1/2/3", "PUT /{id}/{id}/{id}"),
        ("GET", "/u/0b0cbcbb-9d2c-4c4e-8a6a-6f2f4f6f9a11#top", "GET /u/{id}"),
        ("GET", "/blob/9f86d081884c7d65", "GET /blob/{id}"),
        ("GET", "/v2/face", "GET /v2/face"),
        ("GET", "/cart/{id}", "GET /cart/{id}"),
        ("GET", "https://shop.example", "GET /"),
        ("GET", None, "GET"),
        (None, None, ""),
    ],
)
def test_the_endpoint_is_method_and_path(ask, method, url, endpoint):
    [row] = ask(f"{SINK}/requests", [entry(method=method, url=url)])
    assert row["endpoint"] == endpoint


def test_entries_without_a_backend_service_are_left_out(ask):
    rows = [entry(service=None), entry(service=""), entry(service="cart")]
    assert [row["service"] for row in ask(f"{SINK}/requests", rows)] == ["cart"]
    assert ask(f"{SINK}/errors", [{"service": None, "logged_at": NOON, "status": 500}]) == []


def test_a_duration_that_is_not_there_is_unknown_not_zero(ask):
    [row] = ask(f"{SINK}/requests", [entry(200, None), entry(200, 0.25), entry(200, 0.0)])
    assert (row["request_count"], row["duration_sum_s"]) == (3, None)
    # 0 s is in the lowest bucket, which holds whatever is shorter than the others.
    assert counts(row) == {-1024: 1, -33: 1}


def test_a_struct_of_seconds_and_nanos_is_a_duration(ask):
    [row] = ask(f"{VIEW}/requests", [seen(200, (1, 500_000_000)), seen(200, None)])
    assert counts(row) == {bucket_of(1.5): 1}
    assert (row["request_count"], row["duration_sum_s"]) == (2, None)


def test_an_entry_that_arrived_twice_counts_once(ask):
    rows = [
        seen(200, insert_id="a"),
        seen(200, insert_id="a"),
        seen(200, insert_id="a", log_name="other"),
        seen(200, insert_id="a", logged_at=NOON.replace(second=8)),
        seen(503, insert_id="b"),
        seen(503, insert_id="b"),
    ]
    [row] = ask(f"{VIEW}/requests", rows)
    # a counts once, in another log once more, a second later once more; b once.
    assert (row["request_count"], row["error_count"], row["observed_count"]) == (4, 1, 4)
    rows = [{name: cell for name, cell in row.items() if name != "latency"} for row in rows]
    [row] = ask(f"{VIEW}/errors", rows)
    assert row["error_count"] == 1


def test_a_negative_duration_is_refused(ask):
    with pytest.raises(Exception, match=r"(?i)logarithm|\bLN\b|\bnan\b"):
        ask(f"{SINK}/requests", [entry(200, -0.1)])


def test_a_file_that_holds_what_raw_reads_can_be_loaded(tmp_path):
    file = tmp_path / "log.ndjson"
    file.write_text(
        '{"logged_at": "2026-10-01T12:00:07Z", "service": "cart", "region": null, "version": null,'
        ' "method": "GET", "url": "/cart", "status": 200, "status_details": null,'
        ' "latency_s": 0.25, "sample_rate": 0.1}\n'
    )
    [row] = read_source(f"{SINK}/requests").rows([file]).to_dicts()
    assert (row["request_count"], row["quality"]) == (10, "sampled")
    assert list(row) == list(contract("requests").by_name)


def test_a_sample_rate_of_nothing_is_refused(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(
        "logged_at,service,region,version,method,url,status,status_details,latency_s,sample_rate\n"
        "2026-10-01T12:00:07Z,cart,,,GET,/,200,,0.1,none\n"
    )
    with pytest.raises(WarehouseError, match=r"row 1: column 'sample_rate' is 'none'"):
        read_source(f"{SINK}/requests").rows([file])
