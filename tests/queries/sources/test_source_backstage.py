"""A Backstage catalogue as services: owners by reference, tiers in labels, kinds, namespaces."""

import json
from datetime import UTC, datetime

import pytest

from fleetslo.warehouse.sources import read_source

SOURCE = "backstage/services"


def entity(name, spec=None, kind="Component", **metadata):
    return {
        "kind": kind,
        "metadata": json.dumps({"name": name} | metadata),
        "spec": json.dumps(spec or {}),
    }


def test_a_component_is_a_service(ask):
    spec = {"owner": "group:default/payments", "system": "checkout", "lifecycle": "production"}
    labels = {"tier": "1", "language": "java"}
    [row] = ask(SOURCE, [entity("cart", spec, namespace="default", labels=labels)])
    assert row == {
        "service": "cart", "squad": "payments", "system": "checkout", "tier": 1, "language": "java",
        "framework": None, "lifecycle": "production", "oncall_timezone": None,
        "valid_from": datetime(1970, 1, 1, tzinfo=UTC), "valid_to": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "squad"),
    [
        ("group:default/payments", "payments"),
        ("default/payments", "payments"),
        ("payments", "payments"),
        ("group:payments", "payments"),
        ("user:default/jane.doe", "jane.doe"),
        (None, None),
    ],
)
def test_an_owner_is_a_reference(ask, owner, squad):
    [row] = ask(SOURCE, [entity("cart", {"owner": owner, "system": "system:default/shop"})])
    assert (row["squad"], row["system"]) == (squad, "shop")


@pytest.mark.parametrize(
    ("tier", "number"),
    [("1", 1), ("tier-2", 2), ("Tier 3", 3), ("4", 4), ("5", None), ("gold", None), (None, None)],
)
def test_a_tier_is_1_to_4_with_or_without_a_word(ask, tier, number):
    [row] = ask(SOURCE, [entity("cart", labels={"tier": tier})])
    assert row["tier"] == number


def test_the_tier_may_be_an_annotation(ask):
    rows = [entity("cart", annotations={"example.com/tier": "2"})]
    [row] = ask(SOURCE, rows, tier_path='$.annotations."example.com/tier"')
    assert row["tier"] == 2


def test_only_components_are_services(ask):
    rows = [entity("cart"), entity("payments", kind="Group"), entity("cart-api", kind="API")]
    assert [row["service"] for row in ask(SOURCE, rows)] == ["cart"]


def test_a_namespace_tells_two_of_one_name_apart(ask):
    rows = [entity("cart"), entity("cart", namespace="emea")]
    assert [row["service"] for row in ask(SOURCE, rows)] == ["cart", "emea/cart"]


def test_a_stretch_begins_where_it_is_said(ask):
    [row] = ask(SOURCE, [entity("cart")], valid_from="2026-10-01")
    assert row["valid_from"] == datetime(2026, 10, 1, tzinfo=UTC)


def test_entities_are_read_as_the_api_gives_them(tmp_path):
    file = tmp_path / "entities.ndjson"
    file.write_text(
        '{"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "cart",'
        ' "labels": {"tier": "1"}}, "spec": {"owner": "group:default/payments"}}\n'
    )
    [row] = read_source(SOURCE).rows([file]).to_dicts()
    assert (row["service"], row["squad"], row["tier"]) == ("cart", "payments", 1)
