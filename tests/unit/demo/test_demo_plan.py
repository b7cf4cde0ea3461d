"""The plan of a fleet: names, rollouts, incidents, pages, and that they hang together."""

from collections import Counter
from itertools import pairwise

import polars as pl
import pytest

from fleetslo.warehouse.demo.catalogue import make_services, sends_telemetry
from fleetslo.warehouse.demo.clock import DAY, LENGTH, at, local_minute, moment
from fleetslo.warehouse.demo.events import Effect
from fleetslo.warehouse.demo.plan import Plan, make_plan
from fleetslo.warehouse.demo.rollouts import Harm, plan_releases
from fleetslo.warehouse.demo.timeline import timeline
from fleetslo.warehouse.demo.truth import truth


@pytest.mark.parametrize(("size", "count"), [("tiny", 4), ("small", 24), ("large", 1000)])
def test_sizes_have_as_many_services_as_they_say(size: str, count: int) -> None:
    services = make_services(size, 1)
    assert sum(sends_telemetry(service) for service in services) == count
    assert len({service.name for service in services}) == len(services)
    assert [service.name for service in services] == sorted(service.name for service in services)


def test_checkout_and_the_indexer_are_always_there() -> None:
    for size in ("tiny", "small", "medium"):
        found = {it.name: (it.part.squad, it.tier) for it in make_services(size, 7)}
        assert found["checkout"] == ("Payments", 1)
        assert found["playlist-indexer"] == ("Playlists", 2)


def test_shares_of_regions_and_endpoints_add_up() -> None:
    for service in make_services("medium", 3):
        assert sum(share for _, share in service.regions) == pytest.approx(1)
        assert sum(endpoint.share for endpoint in service.endpoints) == pytest.approx(1)


def test_the_catalogue_misses_one_service_and_has_one_without_telemetry(plan: Plan) -> None:
    catalogued = set(plan.catalogue["service"])
    sent = {service.name for service in plan.services if sends_telemetry(service)}
    assert sent - catalogued == {"artist-image-proxy"}
    assert catalogued - sent == {"royalty-export"}


def test_ownership_changes_hands_without_a_gap(plan: Plan) -> None:
    rows = (
        plan.catalogue.filter(pl.col("service") == "daily-mix").sort("valid_from").rows(named=True)
    )
    assert [row["squad"] for row in rows] == ["Home", "Personalization"]
    assert rows[0]["valid_to"] == rows[1]["valid_from"] == moment(at("10-12 00:00"))
    assert rows[1]["valid_to"] is None


def test_some_services_of_a_large_fleet_change_hands() -> None:
    owned = make_plan("medium", 1).catalogue.group_by("service").len()
    assert 3 <= owned.filter(pl.col("len") > 1).height <= 40


def test_rollouts_of_a_service_do_not_overlap(plan: Plan) -> None:
    for releases in plan.releases.values():
        for before, after in pairwise(releases.rollouts):
            assert before.start <= before.end <= after.start or after.rollback_of


def test_rollouts_go_out_in_working_hours(plan: Plan) -> None:
    hours = Counter(
        local_minute(rollout.start, service.part.zone) % DAY // 60
        for service in plan.services
        for rollout in plan.releases[service.name].rollouts
        if rollout.strategy != "rollback"
    )
    total = sum(hours.values())
    assert total > 1000
    assert sum(hours[hour] for hour in range(8, 19)) / total > 0.95


def test_every_outcome_occurs(plan: Plan) -> None:
    outcomes = Counter(rollout.outcome for it in plan.releases.values() for rollout in it.rollouts)
    assert outcomes["in_progress"] == 1
    assert outcomes["succeeded"] > 50 * outcomes["rolled_back"] / 10
    assert min(outcomes["failed"], outcomes["rolled_back"]) > 10


def test_what_is_rolled_back_is_undone_by_the_next_rollout(plan: Plan) -> None:
    for releases in plan.releases.values():
        for bad, after in pairwise(releases.rollouts):
            if bad.outcome == "rolled_back":
                assert after.rollback_of == bad.rollout_id
                assert (after.version, after.previous) == (bad.previous, bad.version)


def test_harm_is_mended_by_a_fix(plan: Plan) -> None:
    rollouts = plan.releases["search-suggest"].rollouts
    slow = next(it for it in rollouts if it.start == at("10-19 09:20"))
    fix = next(it for it in rollouts if it.remediates == slow.rollout_id)
    assert slow.outcome == "succeeded"
    assert fix.start == at("10-19 09:20") + 4600


def test_incidents_follow_from_what_was_planted(plan: Plan) -> None:
    rollouts = {it.rollout_id for of in plan.releases.values() for it in of.rollouts}
    causes = {effect.cause for effect in plan.effects}
    numbers = [int(incident.incident_id.removeprefix("INC-")) for incident in plan.incidents]
    assert numbers == sorted(set(numbers))
    for incident in plan.incidents:
        assert incident.incident_id in causes
        assert (incident.caused_by in rollouts) == (incident.cause == "deployment")
        assert incident.started <= incident.detected
        if incident.mitigated is not None:
            assert incident.resolved is not None
            assert incident.detected <= incident.mitigated <= incident.resolved
    still_open = [it.service for it in plan.incidents if it.resolved is None]
    assert still_open == ["search-query"]


def test_callers_suffer_from_their_dependencies(plan: Plan) -> None:
    incident = next(it for it in plan.incidents if it.service == "payments-gateway")
    assert incident.cause == "dependency" or incident.started < at("10-04 00:00")
    down = next(it for it in plan.incidents if it.started == at("10-27 18:08"))
    harmed = {it.service: it for it in plan.effects if it.cause == down.incident_id}
    assert set(harmed) == {"payments-gateway", "checkout", "concert-tickets"}
    assert harmed["checkout"].upstream == "payments-gateway"
    assert 0 < harmed["checkout"].error_rate < harmed["payments-gateway"].error_rate


def test_pages_follow_incidents_and_some_follow_nothing(plan: Plan) -> None:
    paged = {page.incident_id for page in plan.pages}
    assert {incident.incident_id for incident in plan.incidents} <= paged
    noise = [page for page in plan.pages if page.incident_id is None]
    assert len(noise) > len(plan.incidents)
    assert sum(page.actionable for page in noise) < len(noise) / 2
    for page in plan.pages:
        assert page.opened < LENGTH
        assert page.acknowledged is None or page.acknowledged > page.opened
        assert page.resolved is None or page.resolved > page.opened
    nights = [
        page
        for page in plan.pages
        if local_minute(int(page.opened), "Europe/Stockholm") % DAY < 360
    ]
    assert nights


def test_pages_go_to_who_owns_the_service_then() -> None:
    pages = [
        page for seed in range(6) for page in make_plan("small", seed).pages if page.service == "daily-mix"
    ]  # fmt: skip
    moved = at("10-12 00:00")
    assert {page.squad for page in pages if page.opened < moved} == {"Home"}
    assert {page.squad for page in pages if page.opened >= moved} <= {"Personalization"}


def test_the_upgrade_reaches_most_of_the_fleet(plan: Plan) -> None:
    planted = truth(plan, "small")
    upgraded = {it["service"] for it in planted["upgrades"]}
    assert 10 < len(upgraded) < 24
    for it in planted["upgrades"]:
        assert it["from"] != it["to"]


def test_truth_names_harm_and_tells_it_from_what_did_none(plan: Plan) -> None:
    planted = truth(plan, "small")
    bad = {
        it["cause"]: it for it in planted["causes"] if it["service"] == "checkout" and it["version"]
    }
    assert planted["gaps"][0]["service"] == "image-resize"
    assert planted["without_telemetry"] == ["royalty-export"]
    assert planted["not_in_catalogue"] == ["artist-image-proxy"]
    assert planted["sampled"] == ["ads-decision"]
    assert planted["approximate"] == ["lyrics"]
    assert not set(planted["harmful_rollouts"]) & set(planted["harmless_rollouts"])
    october = next(
        it
        for it in planted["incidents"]
        if it["incident_id"] in bad and it["service"] == "checkout" and it["caused_by"]
    )
    assert october["caused_by"] in planted["harmful_rollouts"]
    kinds = {it["harms"] for it in planted["causes"]}
    assert kinds == {"requests", "sli", "mistakes of callers"}


@pytest.mark.parametrize("kind", ["errors", "slower", "leak"])
@pytest.mark.parametrize("undo", ["rollback", "fix"])
def test_a_harmful_version_is_gone_when_its_effect_ends(kind: str, undo: str) -> None:
    service = next(it for it in make_services("small", 1) if it.name == "home-shelf")
    harm = Harm("home-shelf", kind, at("09-15 12:00"), 300, errors=0.2, slow=0.2, undo=undo)
    releases = plan_releases(service, [harm], 1, last=False)
    rollout, effect = releases.effects[harm]
    assert effect.version == rollout.version
    assert effect.start == rollout.start == at("09-15 12:00")
    for region, _ in service.regions:
        line = timeline(releases, region)
        number = line.names.index(rollout.version)
        serving = (line.base == number) | ((line.coming == number) & (line.share > 0))
        served = serving.nonzero()[0]
        assert effect.start <= served[0] < served[-1] < effect.end
    assert min(effect.error_rate, effect.slow) > 0


def test_a_canary_takes_its_share_and_gives_it_back() -> None:
    service = next(it for it in make_services("small", 1) if it.name == "home-shelf")
    harm = Harm("home-shelf", "errors", at("09-15 12:00"), 30, errors=0.1, stays_canary=True)
    releases = plan_releases(service, [harm], 1, last=False)
    line = timeline(releases, "europe-west1")
    minute = at("09-15 12:20")
    assert line.share[minute] == pytest.approx(0.05)
    assert line.names[line.coming[minute]] == releases.effects[harm][0].version
    assert line.share[at("09-15 13:00")] == 0
    other = timeline(releases, "us-central1")
    assert other.share[minute] == 0


def test_strength_is_a_trapezoid() -> None:
    effect = Effect("c", "m", "s", start=100, full=110, ease=150, end=160)
    minutes = range(90, 170)
    strength = dict(zip(minutes, effect.strength(pl.Series(minutes).to_numpy()), strict=True))
    assert [strength[99], strength[160]] == [0, 0]
    # Half of the way up after half of the rise: (105 - 100 + 0.5) / 10.
    assert strength[105] == pytest.approx(0.55)
    assert strength[154] == pytest.approx(0.55)
    assert all(0.65 <= strength[minute] <= 1 for minute in range(112, 148))


def test_another_seed_is_another_fleet_with_the_same_story() -> None:
    one, two = make_plan("small", 1), make_plan("small", 2)
    assert [it.name for it in one.services] == [it.name for it in two.services]
    assert one.incidents != two.incidents
    recent = [
        [(it.service, it.started) for it in plan.incidents if it.cause != "deployment" and it.started > LENGTH - 28 * DAY]
        for plan in (one, two)
    ]  # fmt: skip
    assert recent[0] == recent[1]
