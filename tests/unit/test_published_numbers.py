"""What a reader of a page is told, held against sums of the stored rows by nobody's code but this."""

import re
from pathlib import Path

import polars as pl
import pytest

from fleetslo.reports.running import one_report
from fleetslo.settings import load_settings

DAYS = 28


@pytest.mark.xdist_group("runs-notebooks")
def test_a_page_says_what_the_stored_requests_add_up_to(tiny: Path, tmp_path: Path) -> None:
    days = pl.read_parquet(tiny / "warehouse/requests_daily/day=*/*.parquet")
    newest = days["day"].max()
    assert newest is not None
    window = days.filter(
        (pl.col("service") == "checkout") & (pl.col("day") > newest - pl.duration(days=DAYS))
    )
    assert window["day"].n_unique() == DAYS
    valid, bad = int(window["request_count"].sum()), int(window["error_count"].sum())

    page = one_report(
        "reports/service_slo",
        {"service": "checkout"},
        load_settings({}, {"FLEETSLO_HOME": str(tiny)}).settings,
        output=tmp_path / "checkout.html",
    )
    html = page.read_text(encoding="utf-8")

    tile = re.search(
        r"<dt>Availability, target 99\.9\s%</dt><dd[^>]*>([\d.]+)\s%.*?class=\"detail\">([^<]*)<",
        html,
    )
    assert tile is not None
    shown, detail = tile[1], tile[2]
    # As many digits as are shown, and no more, must be right.
    step = 10 ** -len(shown.partition(".")[2])
    assert float(shown) == pytest.approx(100 * (1 - bad / valid), abs=step)
    assert detail.startswith(f"{bad:,} bad of ")
    folded = html[html.index("How these numbers are made") :]
    assert f"<dt>Valid requests</dt><dd>{valid:,}</dd>" in folded
    assert f"<dt>Good for certain</dt><dd>{valid - bad:,}</dd>" in folded
    # 99.9 % leaves a thousandth of them.
    spent = bad / (valid / 1000)
    left = re.search(r"<dt>Availability budget left</dt><dd[^>]*>(−?[\d.]+)\s%", html)
    assert left is not None
    assert float(left[1].replace("−", "-")) == pytest.approx(100 * (1 - spent), abs=1)
