"""A whole batch with real kernels: what it declares is answered, what it does not is refused."""

import json

import pytest

from fleetslo.errors import NotebookFailed
from fleetslo.reports.running import run_schedule
from fleetslo.settings import load_settings

PARAMETERS = 'service: str = "a"  # which\nperiod: str = "28d"  # how far back\nas_of: str = ""\n'
ASK = """
import fleetslo as fs
fleet = fs.open_fleet()
view = fleet.service(service, fleet.period(period, as_of))
days = fleet.slo_days(view.period, [service])
assert set(days["service"]) == {service}, days
if service == "checkout":
    fleet.query("latency/endpoints", period=view.period, services=[service])
"""
NAMES = ["fleet/services", "fleet/seen", "delivery/deployments", "slo/days"]


@pytest.mark.usefixtures("tiny")
def test_a_batch_answers_what_is_declared_and_refuses_what_is_not(project, tiny):
    path = project.notebook("reports/one", PARAMETERS, ASK)
    document = json.loads(path.read_text())
    document["metadata"]["fleetslo"] = {"queries": [{"name": name} for name in NAMES]}
    path.write_text(json.dumps(document))
    (project.folder / "notebooks" / "schedule.yaml").write_text(
        "reports:\n- {notebook: reports/one, for_each: service}"
    )
    home = project.folder / "home"
    settings = load_settings({"home": home, "warehouse": f"duckdb://{tiny / 'warehouse'}"}).settings
    with pytest.raises(NotebookFailed) as failed:
        run_schedule(settings)
    said = str(failed.value)
    assert said.startswith("1 of 4 reports failed; the other 3 are published\n")
    assert "one/checkout (reports/one): a cell raised: cell 3 of 3, line 8: NotebookError" in said
    assert "reports/one asks 'latency/endpoints', which it does not declare" in said

    (folder,) = (home / "runs").iterdir()
    record = json.loads((folder / "manifest.json").read_text())
    # The period is one of whole days, so that each of the four is one question.
    assert sorted(one["name"] for one in record["questions"]) == sorted(NAMES)
    assert all(one["rows"] and not one["report"] for one in record["questions"])
    assert [path.name for path in (home / "extracts").iterdir()] == [".lock"]
