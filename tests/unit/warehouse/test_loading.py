import gzip
import json
import re
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from stored_rows import (
    NOON,
    csv,
    incident_row,
    incidents,
    minutes,
    ndjson,
    parquet,
    request_row,
    requests,
)

from fleetslo.errors import (
    ContractError,
    DataFileError,
    ParameterError,
    UnknownTable,
    UsageError,
)
from fleetslo.warehouse.contracts import contract


def stored(warehouse, table="requests"):
    files = warehouse.layout.files(table)
    frame = pl.concat([pl.read_parquet(file, glob=False) for file in files])
    assert frame.schema == contract(table).schema
    return frame.sort(contract(table).order)


def refused(warehouse, file, error=ContractError, table="requests"):
    before = warehouse.layout.meta
    with pytest.raises(error) as caught:
        warehouse.load(table, [file])
    assert warehouse.layout.files(table) == []
    assert warehouse.layout.meta == before
    assert not (warehouse.layout.folder / ".staging").exists()
    return str(caught.value)


ROWS = [*minutes(3), *minutes(2, start=datetime(2026, 11, 1, tzinfo=UTC), service="cart")]


class TestKinds:
    @pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "ndjson", "jsonl.gz", "json"])
    def test_every_kind_of_file_stores_the_same_rows(self, warehouse, tmp_path, kind):
        write = {"p": lambda f: parquet(f, requests(*ROWS)), "c": lambda f: csv(f, ROWS)}
        file = tmp_path / f"rows.{kind.removesuffix('.gz')}"
        write.get(kind[0], lambda f: ndjson(f, ROWS))(file)
        if kind.endswith(".gz"):
            zipped = file.with_name(file.name + ".gz")
            zipped.write_bytes(gzip.compress(file.read_bytes()))
            file = zipped
        report = warehouse.load("requests", [file])
        # 3 minutes on 31 October, 2 on 1 November
        assert (report.rows, report.days, report.replaced) == (5, 2, 0)
        assert report.already_loaded == ()
        assert stored(warehouse).equals(requests(*ROWS).sort(contract("requests").order))

    def test_a_file_of_objects_as_histogram(self, warehouse, tmp_path):
        text = '[{"bucket": -44, "count": 6}, {"count": 4, "bucket": -43}]'
        warehouse.load("requests", [csv(tmp_path / "a.csv", ROWS, latency=text)])
        assert stored(warehouse)["latency"][0].to_list() == [
            {"bucket": -44, "count": 6},
            {"bucket": -43, "count": 4},
        ]

    def test_columns_may_come_in_any_order_and_nullable_ones_be_left_out(self, warehouse, tmp_path):
        rows = [dict(reversed(row.items())) for row in ROWS]
        for row in rows:
            del row["duration_sum_s"]
        warehouse.load("requests", [csv(tmp_path / "a.csv", rows)])
        assert stored(warehouse)["duration_sum_s"].null_count() == 5

    def test_an_empty_field_is_null_where_it_may_be_and_an_empty_text_elsewhere(
        self, warehouse, tmp_path
    ):
        rows = [request_row(region="", duration_sum_s=None)]
        warehouse.load("requests", [csv(tmp_path / "a.csv", rows)])
        assert stored(warehouse).select("region", "duration_sum_s").rows() == [("", None)]

    def test_a_byte_order_mark_is_no_part_of_the_header(self, warehouse, tmp_path):
        file = csv(tmp_path / "a.csv", ROWS)
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        assert warehouse.load("requests", [file]).rows == 5

    def test_narrower_types_of_parquet_are_widened(self, warehouse, tmp_path):
        frame = requests(*ROWS).with_columns(
            pl.col("request_count").cast(pl.Int16),
            pl.col("error_count").cast(pl.Float64),
            pl.col("service").cast(pl.Categorical),
            pl.col("minute").dt.cast_time_unit("ms"),
            pl.col("latency").cast(pl.List(pl.Struct({"bucket": pl.Int16, "count": pl.UInt32}))),
        )
        warehouse.load("requests", [parquet(tmp_path / "a.parquet", frame)])
        assert stored(warehouse).equals(requests(*ROWS).sort(contract("requests").order))

    def test_zones_become_utc(self, warehouse, tmp_path):
        texts = ["2026-10-31T12:00Z", "2026-10-31T13:01:00+01:00", "2026-10-31 12:02:00 UTC"]
        rows = [request_row() | {"minute": text} for text in texts]
        warehouse.load("requests", [csv(tmp_path / "a.csv", rows)])
        assert stored(warehouse)["minute"].to_list() == [
            NOON + timedelta(minutes=place) for place in range(3)
        ]

    def test_blank_lines_of_ndjson_are_skipped_and_null_is_null(self, warehouse, tmp_path):
        file = tmp_path / "a.ndjson"
        row = json.dumps(request_row(duration_sum_s=None, minute=None), default=str)
        file.write_text(
            "\n" + row.replace('"minute": null', '"minute": "2026-10-31T12:00Z"') + "\n\n"
        )
        warehouse.load("requests", [file])
        assert stored(warehouse)["duration_sum_s"].to_list() == [None]


class TestRefusals:
    """What is refused is named: file, row, column, value and why."""

    @pytest.mark.parametrize(
        ("column", "value", "why"),
        [
            ("minute", "2026-10-31T12:00:00", "has no zone; write 2026-11-01T06:00Z"),
            ("minute", "2026-10-31", "has no zone; write 2026-11-01T06:00Z"),
            ("minute", "noon", "is not an instant; write 2026-11-01T06:00Z"),
            ("minute", "2026-10-31T12:00:30Z", "wants minute = TIMESTAMP_TRUNC(minute, MINUTE)"),
            ("request_count", "1.5", "is not a whole number"),
            ("request_count", "many", "is not a whole number"),
            ("request_count", "-1", "the contract wants request_count >= 0"),
            ("duration_sum_s", "NaN", "the contract wants duration_sum_s is finite"),
            ("duration_sum_s", "1,5", "is not a number"),
            ("quality", "good", "wants quality IN ('exact', 'sampled', 'approximate')"),
            ("latency", "fast", "is not a histogram; write [[bucket, count], …]"),
            ("latency", "[[1, 2], [3]]", "is not a histogram"),
            ("latency", "[[1.5, 2]]", "is not a histogram"),
            ("latency", '[{"bucket": 1}]', "is not a histogram"),
            ("latency", "[[-1025, 1]]", "wants latency buckets between -1024 and 1023"),
            ("latency", "[[0, -1]]", "wants latency counts >= 0"),
        ],
    )
    def test_a_wrong_value(self, warehouse, tmp_path, column, value, why):
        file = csv(tmp_path / "bad.csv", [request_row()], **{column: value})
        said = refused(warehouse, file)
        assert (
            f"requests: nothing was loaded: {file}: row 1: column '{column}' is '{value}': " in said
        )
        assert why in said
        assert "\n" not in said

    def test_a_row_that_does_not_add_up(self, warehouse, tmp_path):
        rows = [*minutes(2), request_row(NOON + timedelta(minutes=2), error_count=13, latency=[])]
        said = refused(warehouse, csv(tmp_path / "bad.csv", rows))
        assert said.endswith(
            "bad.csv: row 3: column 'error_count' is '13': the contract wants errors within "
            "requests (error_count <= request_count), request_count is 12"
        )

    def test_more_durations_than_successes(self, warehouse, tmp_path):
        # 6 + 5 = 11 durations, 12 - 2 = 10 requests without a fault
        entries = [{"bucket": -44, "count": 6}, {"bucket": -43, "count": 5}]
        said = refused(warehouse, csv(tmp_path / "bad.csv", [request_row(latency=entries)]))
        assert "column 'request_count' is '12': the contract wants histogram within succ" in said
        assert "error_count is 2" in said

    def test_an_empty_field_that_may_not_be(self, warehouse, tmp_path):
        said = refused(warehouse, csv(tmp_path / "bad.csv", [request_row(request_count=None)]))
        assert "row 1: column 'request_count': is empty; the contract wants a value" in said

    def test_a_service_without_a_name(self, warehouse, tmp_path):
        said = refused(warehouse, csv(tmp_path / "bad.csv", [request_row(service="")]))
        assert "column 'service'" in said
        assert "the contract wants service <> ''" in said

    def test_ten_are_named_and_the_others_counted(self, warehouse, tmp_path):
        rows = [*minutes(5), *minutes(13, start=NOON + timedelta(hours=1), error_count=-1)]
        said = refused(warehouse, csv(tmp_path / "bad.csv", rows)).splitlines()
        assert said[0] == "requests: nothing was loaded: 13 rows break the contract"
        assert len(said) == 12
        assert "bad.csv: row 6: column 'error_count' is '-1'" in said[1]
        assert "bad.csv: row 15: " in said[10]
        assert said[11] == "  and 3 more"

    def test_one_row_in_a_million(self, warehouse, tmp_path):
        rows = 1_000_000
        frame = pl.DataFrame({"place": range(rows)}).select(
            minute=pl.lit(NOON.replace(hour=0)) + pl.duration(minutes=pl.col("place") % 1440),
            service=pl.format("service-{}", pl.col("place") // 1440),
            endpoint=pl.lit("GET /"),
            region=pl.lit(""),
            version=pl.lit(""),
            request_count=pl.when(pl.col("place") == 654_321).then(-3).otherwise(7),
            error_count=pl.lit(0),
            latency=pl.lit([], dtype=contract("requests").schema["latency"]),
            quality=pl.lit("exact"),
            observed_count=pl.lit(7),
        )
        said = refused(warehouse, parquet(tmp_path / "million.parquet", frame))
        assert "million.parquet: row 654,322: column 'request_count' is '-3'" in said

    def test_the_same_grain_twice(self, warehouse, tmp_path):
        said = refused(warehouse, csv(tmp_path / "bad.csv", [*minutes(2), request_row()]))
        assert (
            "bad.csv: row 3: has the same minute, service, endpoint, region, version as row 1: "
            in said
        )
        assert "2026-10-31 12:00:00+00, checkout, GET /cart, eu, 1" in said

    def test_the_same_grain_in_two_files(self, warehouse, tmp_path):
        files = [csv(tmp_path / f"{name}.csv", minutes(2)) for name in "ab"]
        files[1].write_text(files[1].read_text().replace("exact", "sampled"))
        with pytest.raises(ContractError) as caught:
            warehouse.load("requests", files)
        said = str(caught.value).splitlines()
        assert said[0] == "requests: nothing was loaded: 2 duplicate rows break the contract"
        assert re.search(r"b.csv: row 1: has the same .* as row 1 of .*a.csv: ", said[1])

    def test_null_is_one_value_of_a_grain(self, warehouse, tmp_path):
        row = {
            "minute": "2026-10-31T12:00Z", "service": "a", "endpoint": "", "region": "",
            "version": "", "error": "500", "upstream": "", "error_count": 1, "is_fault": "true",
        }  # fmt: skip
        said = refused(warehouse, csv(tmp_path / "bad.csv", [row, row]), table="errors")
        assert "2026-10-31 12:00:00+00, a, , , , 500, null" in said

    def test_an_unknown_column(self, warehouse, tmp_path):
        said = refused(warehouse, csv(tmp_path / "bad.csv", [request_row(errors_count=1)]))
        assert "bad.csv: requests has no column 'errors_count'. Did you mean 'error_count'?" in said

    def test_an_unknown_key_of_a_line(self, warehouse, tmp_path):
        file = ndjson(tmp_path / "bad.ndjson", [request_row(), request_row(hue=1)])
        said = refused(warehouse, file)
        assert "bad.ndjson: row 2: column 'hue': is unknown to the contract" in said

    def test_a_line_that_is_no_json(self, warehouse, tmp_path):
        file = ndjson(tmp_path / "bad.ndjson", ROWS)
        file.write_text(file.read_text()[:-60])
        said = refused(warehouse, file)
        assert "bad.ndjson: row 5: column '(the whole line)' is '{" in said
        assert said.endswith("is not a JSON object")

    def test_a_missing_column(self, warehouse, tmp_path):
        row = request_row()
        del row["service"]
        said = refused(warehouse, csv(tmp_path / "bad.csv", [row]))
        assert "bad.csv: column 'service' of requests is missing; the file has minute, " in said

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (
                pl.col("minute").dt.replace_time_zone(None),
                "column 'minute' is a time without a zone, not TIMESTAMP; store it as UTC",
            ),
            (pl.lit(True).alias("request_count"), "'request_count' is BOOLEAN, not INT64"),
            (pl.lit([1]).alias("service"), "'service' is BIGINT[], not STRING"),
            (pl.lit([1]).alias("latency"), "'latency' is BIGINT[], not ARRAY<STRUCT<bucket INT64"),
        ],
    )
    def test_a_column_of_another_type(self, warehouse, tmp_path, change, says):
        file = parquet(tmp_path / "bad.parquet", requests(*ROWS).with_columns(change))
        assert says in refused(warehouse, file)

    def test_a_share_of_a_request_in_parquet(self, warehouse, tmp_path):
        frame = requests(*minutes(3)).with_columns(request_count=pl.Series([12.0, 12.5, 12.0]))
        said = refused(warehouse, parquet(tmp_path / "bad.parquet", frame))
        assert "bad.parquet: row 2: column 'request_count' is '12.5': is not INT64" in said

    def test_an_unknown_table(self, warehouse, tmp_path):
        with pytest.raises(UnknownTable, match=r"no table 'request'"):
            warehouse.load("request", [tmp_path / "a.csv"])

    def test_no_file(self, warehouse):
        with pytest.raises(UsageError, match=r"no file to load into requests"):
            warehouse.load("requests", [])


class TestDamage:
    def test_a_parquet_file_cut_in_half(self, warehouse, tmp_path):
        file = parquet(tmp_path / "cut.parquet", requests(*minutes(500)))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        said = refused(warehouse, file, DataFileError)
        assert said.startswith(f"{file}: cut short or damaged")

    def test_a_parquet_file_with_a_hole(self, warehouse, tmp_path):
        file = parquet(tmp_path / "hole.parquet", requests(*minutes(1440)))
        whole = file.read_bytes()
        file.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
        assert "hole.parquet: cut short or damaged" in refused(warehouse, file, DataFileError)

    def test_a_zipped_file_cut_in_half(self, warehouse, tmp_path):
        whole = gzip.compress(csv(tmp_path / "a.csv", minutes(1440)).read_bytes())
        file = tmp_path / "cut.csv.gz"
        file.write_bytes(whole[: len(whole) // 2])
        assert "cut.csv.gz: cut short or damaged" in refused(warehouse, file, DataFileError)
        file.write_bytes(whole[:12])
        assert "cut.csv.gz: cut short or damaged" in refused(warehouse, file, DataFileError)

    def test_a_row_with_too_few_fields(self, warehouse, tmp_path):
        file = csv(tmp_path / "short.csv", minutes(20))
        file.write_text(file.read_text() + "2026-10-31T13:00Z,checkout\n")
        said = refused(warehouse, file, DataFileError)
        # 1 header, 20 rows, then the short one
        assert said == (
            f"{file}: line 22 has 2 fields and the header 11: '2026-10-31T13:00Z,checkout'"
        )

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("a.xlsx", b"x", "unknown kind of file; name it .parquet, .csv"),
            ("a.csv", b"", "no header; the first line must name the columns"),
            ("a.csv", b"minute,minute\n", "the header names column 'minute' twice"),
            ("a.csv", b"minute,\xff\xfe\n", "cut short or damaged"),
        ],
    )
    def test_a_file_of_another_kind(self, warehouse, tmp_path, name, content, says):
        (tmp_path / name).write_bytes(content)
        assert f"{name}: {says}" in refused(warehouse, tmp_path / name, DataFileError)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
    def test_a_file_that_cannot_be_read(self, warehouse, tmp_path):
        (tmp_path / "a.csv").symlink_to("/proc/self/mem")
        said = refused(warehouse, tmp_path / "a.csv", DataFileError)
        assert "a.csv: cannot be read: Input/output error" in said

    def test_no_such_file(self, warehouse, tmp_path):
        assert "a.csv: there is no such file" in refused(
            warehouse, tmp_path / "a.csv", DataFileError
        )


class TestMerging:
    def test_the_same_file_again_is_left_alone(self, warehouse, tmp_path):
        file = csv(tmp_path / "a.csv", ROWS)
        warehouse.load("requests", [file])
        copy = tmp_path / "copy.csv"
        copy.write_bytes(file.read_bytes())
        report = warehouse.load("requests", [copy])
        assert (report.rows, report.days, report.already_loaded) == (0, 0, (copy,))
        assert stored(warehouse).height == 5

    def test_only_files_that_are_new_are_loaded(self, warehouse, tmp_path):
        old = csv(tmp_path / "old.csv", minutes(2))
        warehouse.load("requests", [old])
        new = csv(tmp_path / "new.csv", minutes(2, service="cart"))
        report = warehouse.load("requests", [old, new, new])
        assert (report.rows, report.replaced, report.already_loaded) == (2, 0, (old,))
        assert stored(warehouse).height == 4

    def test_rows_of_the_same_grain_are_replaced_and_others_kept(self, warehouse, tmp_path):
        warehouse.load("requests", [csv(tmp_path / "a.csv", minutes(3))])
        rows = minutes(3, start=NOON + timedelta(minutes=2), request_count=100)
        report = warehouse.load("requests", [csv(tmp_path / "b.csv", rows)])
        # minutes 0 to 2, then 2 to 4: minute 2 is replaced
        assert (report.rows, report.replaced) == (3, 1)
        assert stored(warehouse)["request_count"].to_list() == [12, 12, 100, 100, 100]

    def test_a_file_whose_rows_were_replaced_can_be_loaded_again(self, warehouse, tmp_path):
        first = csv(tmp_path / "a.csv", minutes(2))
        warehouse.load("requests", [first])
        warehouse.load("requests", [csv(tmp_path / "b.csv", minutes(2, request_count=100))])
        report = warehouse.load("requests", [first])
        assert (report.rows, report.replaced, report.already_loaded) == (2, 2, ())
        assert stored(warehouse)["request_count"].to_list() == [12, 12]

    def test_a_file_for_other_days_does_not_let_the_first_be_counted_again(
        self, warehouse, tmp_path
    ):
        first = csv(tmp_path / "a.csv", minutes(2))
        later = NOON + timedelta(days=2)
        warehouse.load("requests", [first])
        warehouse.load("requests", [csv(tmp_path / "b.csv", minutes(2, start=later))])
        warehouse.load(
            "requests", [csv(tmp_path / "c.csv", minutes(2, start=later, request_count=20))]
        )
        assert warehouse.load("requests", [first]).already_loaded == (first,)

    def test_an_incident_whose_start_is_corrected_moves_to_its_day(self, warehouse, tmp_path):
        rows = incidents(incident_row(), incident_row(incident_id="i2"))
        warehouse.load("incidents", [parquet(tmp_path / "a.parquet", rows)])
        moved = incidents(incident_row(started_at=NOON - timedelta(days=1), title="moved"))
        report = warehouse.load("incidents", [parquet(tmp_path / "b.parquet", moved)])
        assert (report.rows, report.replaced) == (1, 1)
        assert stored(warehouse, "incidents").select("incident_id", "title").rows() == [
            ("i1", "moved"),
            ("i2", None),
        ]

    def test_a_day_of_which_no_row_is_left_is_removed(self, warehouse, tmp_path):
        warehouse.load("incidents", [parquet(tmp_path / "a.parquet", incidents(incident_row()))])
        moved = incidents(incident_row(started_at=NOON - timedelta(days=1)))
        warehouse.load("incidents", [parquet(tmp_path / "b.parquet", moved)])
        assert [str(day) for day in warehouse.layout.days("incidents")] == ["2026-10-30"]

    def test_a_table_without_days_is_merged_too(self, warehouse, tmp_path):
        def row(squad, start):
            return {"service": "a", "squad": squad, "valid_from": start}

        old = csv(tmp_path / "a.csv", [row("red", "2026-01-01T00:00Z")])
        warehouse.load("services", [old])
        new = [row("blue", "2026-01-01T00:00Z"), row("green", "2026-06-01T00:00Z")]
        report = warehouse.load("services", [csv(tmp_path / "b.csv", new)])
        assert (report.rows, report.days, report.replaced) == (2, 1, 1)
        assert stored(warehouse, "services")["squad"].to_list() == ["blue", "green"]
        assert warehouse.load("services", [old]).rows == 1

    def test_a_file_without_rows_loads_nothing(self, warehouse, tmp_path):
        file = csv(tmp_path / "a.csv", [request_row()])
        file.write_text(file.read_text().splitlines()[0] + "\n")
        report = warehouse.load("requests", [file])
        assert (report.rows, report.days) == (0, 0)
        assert warehouse.layout.files("requests") == []


class TestSteps:
    def test_a_coarser_source_is_remembered_by_service(self, warehouse, tmp_path):
        rows = [request_row(NOON + timedelta(minutes=5 * place)) for place in range(3)]
        file = csv(tmp_path / "a.csv", rows)
        warehouse.load("requests", [file], step=timedelta(minutes=5))
        # the last row begins at 12:10 and covers five minutes
        assert warehouse.layout.meta["steps"] == {
            "requests": {"checkout": [["2026-10-31T12:00:00Z", "2026-10-31T12:15:00Z", 300]]}
        }
        assert warehouse.layout.steps("requests", NOON, NOON + timedelta(hours=1)) == {
            "checkout": timedelta(minutes=5)
        }
        warehouse.load("requests", [file])
        warehouse.load("requests", [file], step=timedelta(minutes=5))
        assert len(warehouse.layout.meta["steps"]["requests"]["checkout"]) == 1

    @pytest.mark.parametrize(
        ("table", "step_s", "says"),
        [
            ("incidents", 300, "incidents has no time grain, so a step means nothing"),
            ("requests", 30, "step 0:00:30 is not a whole number of the 0:01:00"),
            ("requests", 90, "step 0:01:30 is not a whole number of the 0:01:00"),
        ],
    )
    def test_a_step_that_means_nothing_is_refused(self, warehouse, tmp_path, table, step_s, says):
        with pytest.raises(ParameterError, match=says):
            warehouse.load(table, [tmp_path / "a.csv"], step=timedelta(seconds=step_s))


class TestSources:
    """A mapping of the user's own, in a project folder."""

    SQL = (
        "SELECT TIMESTAMP_SECONDS(at) AS minute, name AS service, '' AS endpoint, '' AS region,\n"
        "  '' AS version, hits AS request_count, 0 AS error_count, [] AS latency,\n"
        "  'exact' AS quality, hits AS observed_count\nFROM raw\nWHERE name <> @without\n"
    )
    YAML = (
        "says: Hits.\nreads: {raw: {at: INT64, name: STRING, hits: INT64}}\nfills: requests\n"
        "step: 5m\nparameters: {without: {type: STRING}}\n"
    )

    @pytest.fixture
    def hits(self, tmp_path, monkeypatch):
        folder = tmp_path / "project" / "queries" / "sources"
        folder.mkdir(parents=True)
        (tmp_path / "project" / "fleetslo.toml").write_text("")
        (folder / "hits.sql").write_text(self.SQL)
        (folder / "hits.yaml").write_text(self.YAML)
        monkeypatch.chdir(tmp_path / "project")
        seconds = int(NOON.timestamp())
        file = tmp_path / "hits.csv"
        file.write_text(
            f"at,name,hits,ignored\n{seconds},a,5,x\n{seconds + 300},a,6,x\n{seconds},b,7,x\n"
        )
        return file

    def test_logs_may_be_nested(self, warehouse, tmp_path, hits):
        folder = tmp_path / "project" / "queries" / "sources"
        reads = "{at: INT64, name: STRING, http: 'STRUCT<status INT64, tags ARRAY<STRING>>'}"
        (folder / "logs.yaml").write_text(
            f"says: Logs.\nreads: {{raw: {reads}}}\nfills: requests\n"
        )
        sql = self.SQL.replace("hits AS", "http.status AS").replace(
            "0 AS", "ARRAY_LENGTH(http.tags) AS"
        )
        (folder / "logs.sql").write_text(sql.replace("WHERE name <> @without\n", ""))
        row = {"at": int(NOON.timestamp()), "name": "a", "http": {"status": 200, "tags": ["x"]}}
        lines = ndjson(tmp_path / "logs.ndjson", [row | {"unread": 1}])
        warehouse.load("requests", [lines], source="logs")
        assert stored(warehouse).select("request_count", "error_count").rows() == [(200, 1)]

    def test_json_in_parquet_is_read_as_text(self, warehouse, tmp_path):
        file = tmp_path / "a.parquet"
        text = json.dumps([[-44, 10]])
        columns = (
            "SELECT * EXCLUDE latency, CAST($text AS JSON) AS latency FROM read_parquet($from)"
        )
        plain = parquet(tmp_path / "plain.parquet", requests(request_row()))
        duckdb.sql(columns, params={"text": text, "from": str(plain)}).write_parquet(str(file))
        warehouse.load("requests", [file])
        assert stored(warehouse)["latency"].to_list() == [[{"bucket": -44, "count": 10}]]

    def test_files_become_rows_of_the_table(self, warehouse, hits):
        report = warehouse.load("requests", [hits], source="hits", parameters={"without": "b"})
        assert report.rows == 2
        assert stored(warehouse).select("minute", "service", "request_count").rows() == [
            (NOON, "a", 5),
            (NOON + timedelta(minutes=5), "a", 6),
        ]
        assert warehouse.layout.steps("requests", NOON, NOON + timedelta(minutes=1)) == {
            "a": timedelta(minutes=5)
        }

    def test_the_same_files_with_other_parameters_are_another_load(self, warehouse, hits):
        def load(without):
            parameters = {"without": without}
            return warehouse.load("requests", [hits], source="hits", parameters=parameters)

        assert load("b").rows == 2
        assert load("b").already_loaded == (hits,)
        assert load("a").rows == 1
        assert stored(warehouse).height == 3

    def test_rows_that_break_the_contract_are_named_by_source(self, warehouse, hits):
        hits.write_text(hits.read_text().replace(",6,", ",-6,"))
        with pytest.raises(ContractError, match=r"source hits.*column 'request_count' is '-6'"):
            warehouse.load("requests", [hits], source="hits", parameters={"without": "b"})

    def test_a_source_fills_its_own_table_only(self, warehouse, hits):
        with pytest.raises(UsageError, match=r"source 'hits' fills 'requests', not 'errors'"):
            warehouse.load("errors", [hits], source="hits", parameters={"without": "b"})

    def test_parameters_belong_to_a_source(self, warehouse, hits):
        with pytest.raises(UsageError, match=r"parameter 'without' belongs to a source"):
            warehouse.load("requests", [hits], parameters={"without": "b"})


def test_progress_is_told(warehouse, tmp_path):
    told = []
    files = [
        csv(tmp_path / "a.csv", minutes(2)),
        csv(tmp_path / "b.csv", minutes(1, NOON.replace(day=30))),
    ]
    warehouse.load("requests", files, progress=lambda *what: told.append(what))
    assert told == [
        ("reading a.csv", 0, 2),
        ("reading b.csv", 1, 2),
        ("reading", 2, 2),
        ("writing requests", 0, 2),
        ("writing requests", 1, 2),
        ("writing requests", 2, 2),
    ]
