"""The demo from data to site in a BigQuery server on loopback, as ``make demo-bigquery`` does it."""

from pathlib import Path

import pytest
from tests.demo_bigquery import end_to_end
from tests.loopback import PLACE


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_field_of_every_page_is_that_of_the_embedded_warehouse(tmp_path: Path) -> None:
    if not (PLACE / "installed").exists():
        pytest.skip("the loopback server is missing: make loopback")
    assert end_to_end(tmp_path / "home", "tiny") == []
