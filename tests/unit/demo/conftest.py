"""A tiny demo fleet and a small plan, each made once."""

import pytest
from demo_made import Made, measures

from fleetslo.warehouse.demo.making import make_demo
from fleetslo.warehouse.demo.plan import Plan, make_plan


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The tiny fleet of seed 1, made in this process."""
    folder = tmp_path_factory.mktemp("demo") / "warehouse"
    told: list[tuple[str, int, int]] = []
    report = make_demo(
        f"duckdb://{folder}",
        "tiny",
        1,
        measures,
        lambda what, done, total: told.append((what, done, total)),
        processes=1,
    )
    return Made(folder, report, told)


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The plan of the small fleet of seed 1."""
    return make_plan("small", 1)
