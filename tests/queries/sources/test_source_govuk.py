"""GOV.UK's deployments: what was rolled back, and by which."""

from datetime import UTC, datetime, timedelta

import pytest

NOON = datetime(2024, 10, 1, 12, tzinfo=UTC)


def deployment(commit, minute, version, previous, kind="forward", outcome="superseded", **others):
    row = {
        "service": "frontend", "environment": "production", "version": version,
        "previous_version": previous, "started_at": NOON + timedelta(minutes=minute), "kind": kind,
        "minutes_since_previous": 10.0, "outcome": outcome, "commit": commit,
    }  # fmt: skip
    return row | others


def test_a_row_becomes_a_row(ask):
    [row] = ask("govuk/deployments", [deployment("abc", 0, "v2", "v1", outcome="current")])
    assert row == {
        "deployment_id": "abc", "rollout_id": "abc", "service": "frontend", "version": "v2",
        "previous_version": "v1", "region": "", "strategy": None, "traffic_share": None,
        "committed_at": None, "started_at": NOON, "finished_at": None, "outcome": "succeeded",
        "rollback_of": None, "remediates": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "becomes"),
    [
        ("superseded", "succeeded"),
        ("superseded_race", "succeeded"),
        ("current", "succeeded"),
        ("rolled_back", "rolled_back"),
    ],
)
def test_outcomes(ask, outcome, becomes):
    [row] = ask("govuk/deployments", [deployment("abc", 0, "v2", "v1", outcome=outcome)])
    assert row["outcome"] == becomes


def test_a_backward_deployment_undoes_the_one_before_it(ask):
    rows = [
        deployment("a1", 0, "v2", "v1"),
        deployment("b2", 10, "v3", "v2", outcome="rolled_back"),
        deployment("c3", 20, "v2", "v3", kind="backward"),
        deployment("d4", 15, "w2", "w1", service="static"),
    ]
    undone = {row["rollout_id"]: row["rollback_of"] for row in ask("govuk/deployments", rows)}
    assert undone == {"a1": None, "b2": None, "c3": "b2", "d4": None}


def test_two_in_the_same_second_are_told_apart(ask):
    # Only the later of the two came 0 minutes after another.
    rows = [
        deployment("a1", 0, "v3", "v2", outcome="rolled_back", minutes_since_previous=0.0),
        deployment("b2", 0, "v2", "v1"),
        deployment("c3", 9, "v2", "v3", kind="backward"),
    ]
    undone = {row["rollout_id"]: row["rollback_of"] for row in ask("govuk/deployments", rows)}
    assert undone == {"a1": None, "b2": None, "c3": "a1"}


def test_a_race_is_no_rollback(ask):
    rows = [
        deployment("a1", 0, "v3", "v2", outcome="superseded_race"),
        deployment("b2", 1, "v2", "v3", kind="backward"),
    ]
    assert [row["rollback_of"] for row in ask("govuk/deployments", rows)] == [None, None]


def test_only_production_counts(ask):
    rows = [
        deployment("a1", 0, "v2", "v1", kind="first", minutes_since_previous=None),
        deployment("b2", -60, "v2", "v1", environment="staging"),
    ]
    assert [row["rollout_id"] for row in ask("govuk/deployments", rows)] == ["a1"]
    [service] = ask("govuk/services", rows)
    assert (service["service"], service["system"], service["valid_from"]) == (
        "frontend",
        "govuk",
        NOON,
    )
