"""Which version of an objective holds, and until when."""

from datetime import UTC, datetime

from slo_objectives import objective

from fleetslo.reliability.versions import versions


def day(number: int) -> datetime:
    return datetime(2026, 10, number, tzinfo=UTC)


def test_each_version_holds_until_the_next() -> None:
    written = [objective(), objective(since=day(20)), objective(since=day(10))]
    found = versions([*written, objective("other")])
    assert [(one.since, one.until) for one in found] == [
        (None, day(10)),
        (day(20), None),
        (day(10), day(20)),
        (None, None),
    ]


def test_at_the_instant_of_the_change_the_old_one_held_until_then() -> None:
    old, new = versions([objective(), objective(since=day(10))])
    assert (old.holds_before(day(10)), new.holds_before(day(10))) == (True, False)
    assert (old.holds_before(day(11)), new.holds_before(day(11))) == (False, True)


def test_a_document_changes_as_a_whole() -> None:
    """What had two objectives and has one since is judged by the one."""
    before = [objective(name, document="shop") for name in ("a", "b")]
    found = versions([*before, objective("c", document="shop", since=day(10))])
    assert [one.holds_before(day(12)) for one in found] == [False, False, True]


def test_an_objective_of_another_service_is_another() -> None:
    one, other = versions(
        [objective(document="x"), objective(document="x", service="search", since=day(10))]
    )
    assert (one.until, other.until) == (None, None)
