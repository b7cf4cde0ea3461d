"""Templates written out for the services they are for, and the objectives that ship."""

import itertools
from datetime import datetime, timedelta

import pytest
from slo_documents import CHECKOUT, GOOD, TOTAL, changed, written

from fleetslo import resources
from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import Selector, read_objectives, remarks, resolve
from fleetslo.reliability.windows import CalendarWindow


def service(name: str, **fields: object) -> dict[str, object]:
    row: dict[str, object] = {
        "service": name,
        "squad": "Payments",
        "system": "payments",
        "tier": 1,
        "language": "java",
        "framework": "apollo",
        "lifecycle": "production",
        "oncall_timezone": "Europe/Stockholm",
    }
    return row | fields


def template(condition: str, **changes: object) -> dict:
    return changed(
        {
            "metadata.name": "{service}-latency",
            "metadata.annotations": {"fleetslo/for": condition},
            "spec.service": "{service}",
            **changes,
        }
    )


SERVICES = [
    service("checkout"),
    service("search", tier=2, squad="Search"),
    service("DynamoDB_AWS::DynamoDB", tier=3),
    service("stray", tier=None, squad=None, lifecycle=None),
]


def test_a_template_is_written_out_for_each_service_that_it_is_for(tmp_path):
    path = written(
        tmp_path, template("tier in (1, 3)", **{"metadata.displayName": "speed of {service}"})
    )
    found = resolve(read_objectives(path), SERVICES)
    assert [(o.service, o.name, o.label) for o in found] == [
        (
            "DynamoDB_AWS::DynamoDB",
            "DynamoDB_AWS::DynamoDB-latency",
            "speed of DynamoDB_AWS::DynamoDB",
        ),
        ("checkout", "checkout-latency", "speed of checkout"),
    ]
    assert all(o.for_condition is None for o in found)
    assert all(o.source == f"{path}, document 1" for o in found)


def test_an_objective_of_one_service_wins_over_one_for_many(tmp_path):
    own = changed({"spec.objectives.0.target": 0.5})
    path = written(tmp_path, template("tier in (1, 2)"), own)
    found = resolve(read_objectives(path), SERVICES)
    assert [(o.name, o.target) for o in found] == [
        ("checkout-latency", 0.5),
        ("search-latency", 0.99),
    ]


def test_it_wins_by_the_name_of_the_document_over_all_its_objectives(tmp_path):
    several = [{"displayName": "fast", "target": 0.9}, {"displayName": "tail", "target": 0.99}]
    path = written(tmp_path, template("tier in (1, 2)", **{"spec.objectives": several}), CHECKOUT)
    assert [o.name for o in resolve(read_objectives(path), SERVICES)] == [
        "checkout-latency",
        "search-latency/fast",
        "search-latency/tail",
    ]


def test_objectives_of_other_names_stand_beside_each_other(tmp_path):
    path = written(tmp_path, template("tier = 1"), changed({"metadata.name": "checkout-buying"}))
    assert [o.name for o in resolve(read_objectives(path), SERVICES)] == [
        "checkout-buying",
        "checkout-latency",
    ]


def test_objectives_of_services_that_are_not_asked_about_are_left_out(tmp_path):
    path = written(tmp_path, template("tier in (1, 2)"), changed({"spec.service": "gone"}))
    assert [o.service for o in resolve(read_objectives(path), SERVICES[1:])] == ["search"]
    assert resolve(read_objectives(path), []) == []


def test_templates_of_one_name_may_not_meet_in_a_service(tmp_path):
    path = written(tmp_path, template("tier = 1"), template("tier != 1"))
    assert len(resolve(read_objectives(path), SERVICES)) == 4
    path = written(tmp_path, template("tier = 1"), template("squad = Payments"))
    with pytest.raises(ObjectiveError, match=r"document 1 and .* document 2 both give 'checkout'"):
        resolve(read_objectives(path), SERVICES)


def test_the_order_of_documents_and_services_makes_no_difference(tmp_path):
    documents = [template("tier = 1"), CHECKOUT, changed({"metadata.name": "checkout-buying"})]
    answers = []
    for order in itertools.permutations(documents):
        objectives = read_objectives(written(tmp_path, *order))
        answers.append([(o.name, o.target) for o in resolve(objectives, SERVICES[::-1])])
    assert all(answer == answers[0] for answer in answers)


FLEET = [
    service("checkout"),
    service("search", tier=2),
    service("lyrics", tier=3),
    service("tickets", tier=4),
    service("radio-seeds", tier=4, lifecycle="deprecated"),
    service("canvas-clips", tier=2, lifecycle="experimental"),
    service("playlist-indexer", tier=2),
    service("stray", tier=None, lifecycle=None),
]


@pytest.fixture
def shipped():
    return {
        o.name: o
        for o in resolve(read_objectives(resources.packaged("queries") / "objectives"), FLEET)
    }


def test_the_objectives_that_ship(shipped):
    assert {name: o.target for name, o in shipped.items()} == {
        "checkout-availability": 0.999,
        "checkout-buying-by-month": 0.999,
        "checkout-latency": 0.99,
        "lyrics-availability": 0.995,
        "lyrics-latency": 0.99,
        "playlist-indexer-availability": 0.999,
        "playlist-indexer-fresh-data": 0.99,
        "playlist-indexer-latency": 0.99,
        "radio-seeds-availability": 0.995,  # deprecated: still used, no longer tuned
        "search-availability": 0.999,
        "search-latency": 0.99,
        "tickets-availability": 0.995,
        "tickets-latency": 0.99,
    }
    by_month = shipped.pop("checkout-buying-by-month")
    anchor = datetime.fromisoformat("2026-01-01")
    assert by_month.window == CalendarWindow(1, "month", anchor, "America/New_York")
    assert {o.window.nominal for o in shipped.values()} == {timedelta(days=28)}


def test_what_the_objectives_that_ship_count(shipped):
    assert shipped["search-availability"].selector == Selector(requests="all")
    assert shipped["search-latency"].selector == Selector(requests="successful", within_s=0.3)
    assert shipped["lyrics-latency"].selector == Selector(requests="successful", within_s=1.0)
    assert shipped["playlist-indexer-fresh-data"].selector == Selector(sli="queue-lag")
    own = shipped["checkout-latency"].selector
    assert own.endpoints == ("* /v1/cart*", "POST /v1/orders")
    assert {o.label for o in shipped.values()} == {
        "availability",
        "buying by month",
        "latency",
        "latency of buying",
        "fresh data",
    }


def test_thresholds_of_a_second_cut_no_bucket(shipped):
    assert not any("bucket" in remark for remark in remarks(shipped["lyrics-latency"]))
    assert any("bucket" in remark for remark in remarks(shipped["search-latency"]))


def test_a_template_counts_what_its_document_for_one_service_would(tmp_path):
    counts = {GOOD: {"requests": "successful"}, TOTAL: {"requests": "all"}}
    one = read_objectives(written(tmp_path, changed(counts)))[0]
    many = read_objectives(written(tmp_path, template("tier = 1", **counts)))
    (filled,) = resolve(many, SERVICES)
    assert filled.selector.definition == one.selector.definition
    assert (filled.name, filled.service, filled.target) == (one.name, one.service, one.target)


def test_names_hold_no_spaces_though_services_do(tmp_path):
    path = written(tmp_path, template("tier = 1"))
    (found,) = resolve(read_objectives(path), [service("my  shop")])
    assert (found.service, found.name, found.document) == (
        "my  shop",
        "my-shop-latency",
        "my-shop-latency",
    )
