from datetime import UTC, date, datetime

import polars as pl
import pytest

from fleetslo.charts import words
from fleetslo.charts.tables import Col, columns_of, plain, sorted_rows, table_payload


def test_columns_follow_names_and_types():
    frame = pl.DataFrame(
        {
            "service": ["a"],
            "bad_count": [1],
            "p99_s": [0.1],
            "outage_s": [60.0],
            "sli": [0.9],
            "budget_left": [0.5],
            "burn_rate": [1.0],
            "day": [date(2026, 10, 1)],
            "hour": [datetime(2026, 10, 1, 3, tzinfo=UTC)],
            "verdict": ["met"],
            "weight": [1.5],
        }
    )
    found = {one.key: (one.label, one.kind, one.format) for one in columns_of(frame)}
    assert found == {
        "service": ("Service", "text", None),
        "bad_count": ("Bad count", "number", "count"),
        "p99_s": ("p99", "number", "latency"),
        "outage_s": ("Outage", "number", "duration"),
        "sli": ("Sli", "percent", "percent"),
        "budget_left": ("Budget left", "percent", "share"),
        "burn_rate": ("Burn rate", "number", "burn"),
        "day": ("Day", "time", "day"),
        "hour": ("Hour", "time", None),
        "verdict": ("Verdict", "verdict", None),
        "weight": ("Weight", "number", "number"),
    }


def test_a_payload_holds_values_to_sort_by_and_texts_to_read():
    rows = [{"n": 1_930_000, "sli": 0.99896, "target": 0.999, "at": date(2026, 10, 4)}]
    payload = table_payload(
        [
            Col("n", "Bad", "number"),
            Col("sli", "SLI", "percent", against="target"),
            Col("at", "At", "time"),
        ],
        rows,
    )
    n, sli, at = payload["columns"]
    assert (n["values"], n["texts"]) == ([1_930_000], [words.count(1_930_000)])
    assert sli["texts"] == [words.percent(0.99896, against=0.999)]
    assert (at["values"], at["texts"]) == (["2026-10-04"], ["4 Oct"])
    assert n["head"] is True  # the first column names the row
    assert "head" not in sli
    assert payload["count"] == 1


def test_missing_values_are_none_and_read_as_a_dash():
    payload = table_payload([Col("a", "A", "number")], [{"a": None}, {"a": float("nan")}])
    assert payload["columns"][0]["values"] == [None, None]
    assert payload["columns"][0]["texts"] == ["–", "–"]


def test_sparks_are_heights_of_31_with_gaps_kept():
    rows = [{"s": [0.0, 1.0, None, 2.0]}, {"s": [0.001, 4.0]}, {"s": None}]
    by_row = table_payload([Col("s", "S", "spark")], rows)["columns"][0]
    # each row's greatest is 31; 1 of 2 is 15.5, rounded to even; a little is at least 1
    assert by_row["values"] == [[0, 16, None, 31], [1, 31], None]
    assert by_row["sums"] == [3.0, 4.001, None]
    by_column = table_payload([Col("s", "S", "spark", scale="column")], rows)["columns"][0]
    assert by_column["values"][0] == [0, 8, None, 16]  # 2 of 4 is 15.5


def test_a_bar_is_full_at_one_at_a_number_or_at_the_greatest():
    rows = [{"b": 0.2}, {"b": -3.0}]
    for scale, full in ((None, 1.0), (10, 10.0), ("column", 3.0)):
        assert (
            table_payload([Col("b", "B", "bar", scale=scale)], rows)["columns"][0]["full"] == full
        )


def test_words_replace_values():
    column = Col("o", "Outcome", "badge", words={"rolled_back": "rolled back"})
    texts = table_payload([column], [{"o": "rolled_back"}, {"o": "odd"}, {"o": None}])
    assert texts["columns"][0]["texts"] == ["rolled back", "odd", "–"]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(KeyError, match=r"'Share' reads 'share'.*they have cause"):
        table_payload([Col("share", "Share", "bar")], [{"cause": "x"}])


def test_rows_without_a_value_come_last_either_way():
    rows = [{"a": None}, {"a": 2}, {"a": 1}]
    assert [row["a"] for row in sorted_rows(rows, "a", downwards=False)] == [1, 2, None]
    assert [row["a"] for row in sorted_rows(rows, "a", downwards=True)] == [2, 1, None]
    verdicts = [{"v": one} for one in ("met", "unjudged", "missed", "at_risk")]
    order = [row["v"] for row in sorted_rows(verdicts, "v", downwards=False)]
    assert order == ["missed", "at_risk", "unjudged", "met"]
    sparks = [{"s": [1.0, 5.0]}, {"s": [2.0, 2.0, None]}]
    assert sorted_rows(sparks, "s", downwards=False)[0]["s"] == [2.0, 2.0, None]


def test_plain_values_are_json():
    assert plain(datetime(2026, 10, 4, 1, 2, tzinfo=UTC)) == "2026-10-04T01:02:00Z"
    assert plain(0.12345678912) == 0.1234568
    assert plain(float("inf")) is None
    assert plain(True) is True
    assert plain(("a",)) == "('a',)"


def test_short_links_are_not_broken_at_their_hyphens():
    column = Col("service", "Service", "link")
    assert table_payload([column], [{"service": "payments-gateway"}])["columns"][0]["short"]
    long = table_payload([column], [{"service": "a-very-long-name-of-a-service-indeed"}])
    assert "short" not in long["columns"][0]
