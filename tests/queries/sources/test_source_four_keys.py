"""Four Keys' deployments and incidents: services they lack, ends that are filled in."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def deployment(deploy_id, **others):
    row = {
        "source": "github", "deploy_id": deploy_id, "time_created": NOON, "main_commit": "abc",
        "service": "cart",
    }  # fmt: skip
    return row | others


def incident(incident_id, **others):
    row = {
        "source": "github", "incident_id": incident_id, "time_created": NOON,
        "time_resolved": NOON + HOUR, "changes": ["abc"], "service": "cart",
    }  # fmt: skip
    return row | others


def test_a_deployment_is_known_by_its_commit(ask):
    [row] = ask("four-keys/deployments", [deployment("17", committed_at=NOON - HOUR)])
    assert (row["deployment_id"], row["rollout_id"], row["version"]) == ("github 17", "abc", "abc")
    assert (row["committed_at"], row["started_at"]) == (NOON - HOUR, NOON)
    assert (row["service"], row["outcome"], row["region"]) == ("cart", "succeeded", "")


def test_an_event_sent_again_is_the_same_deployment(ask):
    rows = [
        deployment("17", time_created=NOON + HOUR),
        deployment("17"),
        deployment("17", source="gitlab"),
    ]
    first, other = ask("four-keys/deployments", rows)
    assert (first["deployment_id"], first["started_at"]) == ("github 17", NOON)
    assert other["deployment_id"] == "gitlab 17"


def test_a_deployment_without_a_commit_is_a_rollout_of_its_own(ask):
    [row] = ask("four-keys/deployments", [deployment("17", main_commit=None)])
    assert (row["rollout_id"], row["version"]) == ("github 17", "unknown")


def test_a_commit_after_the_deployment_is_not_believed(ask):
    [row] = ask("four-keys/deployments", [deployment("17", committed_at=NOON + HOUR)])
    assert row["committed_at"] is None


def test_rows_without_a_service_are_left_out_or_get_the_one_that_is_given(ask):
    rows = [deployment("1"), deployment("2", service=None), deployment("3", service="")]
    assert [row["service"] for row in ask("four-keys/deployments", rows)] == ["cart"]
    named = ask("four-keys/deployments", rows, service="shop")
    assert [row["service"] for row in named] == ["cart", "shop", "shop"]
    rows = [incident("1"), incident("2", service=None)]
    assert [row["service"] for row in ask("four-keys/incidents", rows)] == ["cart"]
    assert [row["service"] for row in ask("four-keys/incidents", rows, service="shop")] == [
        "cart",
        "shop",
    ]


def test_an_incident_has_the_rollout_that_caused_it(ask):
    rows = [incident("1", severity="sev1", title="carts are empty"), incident("2", changes=[])]
    caused, unknown = ask("four-keys/incidents", rows)
    assert (caused["incident_id"], caused["service"]) == ("github 1", "cart")
    assert (caused["cause"], caused["caused_by"]) == ("deployment", "abc")
    assert (caused["severity"], caused["title"]) == ("sev1", "carts are empty")
    assert (caused["started_at"], caused["resolved_at"]) == (NOON, NOON + HOUR)
    assert (unknown["cause"], unknown["caused_by"], unknown["detected_at"]) == (
        "unknown",
        None,
        None,
    )


def test_an_end_that_was_filled_in_is_no_end(ask):
    made = NOON + 48 * HOUR
    rows = [
        incident("1", time_resolved=None),
        incident("2", time_resolved=made),
        incident("3", time_resolved=made + HOUR),
        incident("4", time_resolved=NOON + HOUR),
        incident("5", time_resolved=NOON - HOUR),
    ]
    found = ask("four-keys/incidents", rows, open_from=made.isoformat())
    ends = [row["resolved_at"] for row in found]
    assert ends == [None, None, None, NOON + HOUR, None]
    # Without the instant an end is believed.
    assert ask("four-keys/incidents", rows)[1]["resolved_at"] == made
