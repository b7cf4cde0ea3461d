"""Whatever stands in a document, it is read or refused: nothing else ever comes of it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from slo_documents import CHECKOUT, changed

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import read_objectives, remarks
from fleetslo.reliability.openslo.exporting import as_yaml

CONDITION = {"op": "lt", "threshold": 2, "lookbackWindow": "1h", "alertAfter": "0m"}
POLICY = {
    "kind": "AlertPolicy",
    "metadata": {"name": "p", "annotations": {"fleetslo/short-window": "5m"}},
    "spec": {
        "conditions": [
            {
                "kind": "AlertCondition",
                "metadata": {"name": "c"},
                "spec": {"severity": "sev3", "condition": CONDITION},
            }
        ],
        "notificationTargets": [{"targetRef": "t"}],
    },
}
WHOLE = changed(
    {
        "metadata.annotations": {"fleetslo/since": "2026-01-31", "fleetslo/no-data": "bad"},
        "spec.budgetingMethod": "Timeslices",
        "spec.timeWindow.0": {
            "duration": "1M",
            "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": "UTC"},
        },
        "spec.objectives.0": {"target": 0.9, "timeSliceTarget": 0.9, "timeSliceWindow": 5},
        "spec.alertPolicies": [POLICY],
    }
)
SLI = {
    "apiVersion": "openslo/v1",
    "kind": "SLI",
    "metadata": {"name": "s"},
    "spec": {"thresholdMetric": {"metricSource": {"metricSourceRef": "d", "spec": {"requests": "successful"}}}},
}  # fmt: skip
COMPOSITE = {
    **CHECKOUT,
    "metadata": {"name": "both"},
    "spec": {
        "service": "checkout",
        "timeWindow": [{"duration": "7d", "isRolling": True}],
        "budgetingMethod": "RatioTimeslices",
        "objectives": [
            {"target": 0.9, "timeSliceWindow": "1m", "compositeWeight": 2, "indicatorRef": "s", "op": "gt", "value": 1},
            {"target": 0.9, "timeSliceWindow": "1m", "indicator": CHECKOUT["spec"]["indicator"]},
        ],
    },
}  # fmt: skip
SOURCE = {
    "apiVersion": "openslo/v1",
    "kind": "DataSource",
    "metadata": {"name": "d"},
    "spec": {"type": "fleetslo"},
}
TARGET = {
    "apiVersion": "openslo/v1",
    "kind": "AlertNotificationTarget",
    "metadata": {"name": "t"},
    "spec": {"target": "mail"},
}
DOCUMENTS: list[Any] = [WHOLE, COMPOSITE, SLI, SOURCE, TARGET]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested values, the outermost first."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    return [at, *(place for step, inner in steps for place in places(inner, (*at, step)))]


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    step, *rest = place
    filled = dict(value) if isinstance(value, dict) else list(value)
    filled[step] = put(value[step], tuple(rest), new)
    return filled


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**12)
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["", "1M", "0m", "{service}", "fleetslo", "openslo/v1", "SLO", "s", "é x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["spec", "name", "sli", "type", "kind"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


def test_the_documents_are_sound_before_they_are_mangled(tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text(yaml.safe_dump_all(DOCUMENTS))
    assert len(read_objectives(tmp_path)) == 2


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(places(DOCUMENTS)[1:]), junk)
def test_a_mangled_document_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "slo.yaml"
        path.write_text(yaml.safe_dump_all(put(DOCUMENTS, place, value)), encoding="utf-8")
        try:
            found = read_objectives(path)
        except ObjectiveError as error:
            assert str(path) in str(error)  # noqa: PT017 — what is raised is one of two outcomes
            return
        for one in found:
            assert 0 <= one.target < 1
            assert isinstance(remarks(one), tuple)
        path.write_text(as_yaml(found), encoding="utf-8")
        assert len(read_objectives(path)) == len(found)
