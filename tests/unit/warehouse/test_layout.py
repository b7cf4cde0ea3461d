import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from stored_rows import NOON, minutes, request_row, requests

from fleetslo.errors import ContractError, OutputError, WarehouseError
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.layout import Layout

DAY = date(2026, 10, 31)


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "warehouse")


def test_a_day_is_one_file_sorted_by_cluster_and_grain(layout):
    rows = [request_row(service=name) for name in ("b", "a", "c")]
    layout.write_day(contract("requests"), DAY, requests(*rows))
    (file,) = layout.files("requests")
    assert file == layout.folder / "requests/day=2026-10-31/part-0.parquet"
    assert pl.read_parquet(file)["service"].to_list() == ["a", "b", "c"]


def test_row_groups_are_small_enough_to_find_one_service(layout):
    rows = [request_row(NOON, endpoint=str(place)) for place in range(120_000)]
    layout.write_day(contract("requests"), DAY, requests(*rows))
    lazy = pl.scan_parquet(layout.files("requests"))
    assert lazy.select(pl.len()).collect().item() == 120_000
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(layout.files("requests")[0])
    # 120,000 rows in groups of 50,000: three
    assert metadata.num_row_groups == 3


def test_writing_a_day_again_replaces_it_and_no_rows_remove_it(layout):
    one = contract("requests")
    layout.write_day(one, DAY, requests(*minutes(3)))
    (layout.folder / "requests/day=2026-10-31/part-1.parquet").write_bytes(b"from elsewhere")
    before = layout.fingerprint("requests", DAY)
    layout.write_day(one, DAY, requests(*minutes(2)))
    assert pl.read_parquet(layout.files("requests")).height == 2
    assert layout.fingerprint("requests", DAY) != before
    layout.write_day(one, DAY, requests())
    assert layout.files("requests") == []
    assert layout.days("requests") == []
    assert layout.fingerprint("requests", DAY) is None


def test_a_table_without_partition_is_one_file_for_all_time(layout):
    row = dict.fromkeys(contract("services").by_name) | {"service": "a", "valid_from": NOON}
    layout.write_day(
        contract("services"), None, pl.DataFrame([row], schema=contract("services").schema)
    )
    assert layout.files("services", NOON, NOON + timedelta(days=9)) == [
        layout.folder / "services/part-0.parquet"
    ]


def test_days_outside_the_period_are_not_read(layout):
    for day in (30, 31):
        start = datetime(2026, 10, day, tzinfo=UTC)
        layout.write_day(contract("requests"), start.date(), requests(request_row(start)))
    assert layout.days("requests") == [date(2026, 10, 30), DAY]

    def found(start, end):
        return [path.parent.name[-2:] for path in layout.files("requests", start, end)]

    midnight = datetime(2026, 10, 31, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert found(None, None) == ["30", "31"]
    assert found(None, midnight) == ["30"]
    assert found(None, midnight + second) == ["30", "31"]
    assert found(midnight, None) == ["31"]
    assert found(midnight - second, None) == ["30", "31"]
    assert found(midnight + timedelta(days=1), None) == []


def test_a_frame_that_breaks_the_contract_is_not_written(layout):
    with pytest.raises(ContractError, match=r"column 'quality' is missing"):
        layout.write_day(contract("requests"), DAY, requests(request_row()).drop("quality"))
    assert not layout.folder.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    layout = Layout(tmp_path / "file" / "warehouse")
    with pytest.raises(OutputError, match=r"file/warehouse.*cannot write: Not a directory"):
        layout.write_day(contract("requests"), DAY, requests(request_row()))


def test_meta_is_replaced_entry_by_entry(layout):
    layout.folder.mkdir()
    assert layout.meta["contracts"] == {}
    assert not layout.exists()
    layout.update_meta({"contracts": {"requests": 1}})
    layout.update_meta({"rolled": {"a": 1}})
    assert layout.exists()
    assert json.loads(layout.meta_file.read_text()) == {
        "format": 1,
        "contracts": {"requests": 1},
        "loads": [],
        "steps": {},
        "rolled": {"a": 1},
    }
    assert [path.name for path in layout.folder.iterdir()] == [layout.meta_file.name]


def test_a_damaged_meta_file_is_named(layout):
    layout.folder.mkdir()
    layout.meta_file.write_text('{"format": ')
    with pytest.raises(WarehouseError, match=r"fleetslo-warehouse.json: cannot be read"):
        _ = layout.meta


def test_steps_are_those_of_the_period(layout):
    layout.folder.mkdir()
    stretches = [
        ["2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", 300],
        ["2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", 60],
    ]
    layout.update_meta({"steps": {"requests": {"shop": stretches}}})

    def steps(first, last):
        return layout.steps(
            "requests", datetime(2026, 10, first, tzinfo=UTC), datetime(2026, 10, last, tzinfo=UTC)
        )

    assert steps(1, 2) == {"shop": timedelta(minutes=5)}
    assert steps(2, 3) == {}
    assert steps(3, 5) == {"shop": timedelta(minutes=1)}
    assert steps(1, 5) == {"shop": timedelta(minutes=5)}
    assert layout.steps("sli_events", NOON - timedelta(days=60), NOON) == {}
