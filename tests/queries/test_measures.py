"""What objectives hand down: thresholds as buckets, globs as regular expressions, groups."""

import math
import re
from fnmatch import fnmatchcase

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetslo.errors import ObjectiveError
from fleetslo.warehouse.measures import Measure, Operator, edges, grouped, pattern

TEXTS = st.text("aAbB/ .*?[]!^-{}\\|$é\n", max_size=8)


@pytest.mark.parametrize(
    ("within_s", "expected"),
    [
        # 16 × log2(0.3) = -27.79: bucket -28 holds (0.2973, 0.3105] and is cut.
        (0.3, (-29, -28)),
        # 0.5 s = 2**(-16/16) is the upper bound of bucket -17.
        (0.5, (-17, -17)),
        (1.0, (-1, -1)),
        # As an objective would write 2**(-28/16) = 0.29730177875…
        (0.2973017788, (-29, -29)),
        (0.2974, (-29, -28)),
        (0.0, (-1025, -1024)),
        (1e-30, (-1025, -1024)),
    ],
)
def test_edges_of_a_threshold(within_s: float, expected: tuple[int, int]) -> None:
    assert edges(within_s) == expected


@pytest.mark.parametrize(
    ("within_s", "op", "expected"),
    [
        # Bucket -17 ends at 0.5 s and holds it: fast where 0.5 s is, else neither.
        (0.5, "lte", (-17, -17)),
        (0.5, "gt", (-17, -17)),
        (0.5, "lt", (-18, -17)),
        (0.5, "gte", (-18, -17)),
        # 0.3 s lies inside bucket -28, whichever side holds it.
        (0.3, "lt", (-29, -28)),
        (0.3, "gte", (-29, -28)),
        (0.3, "gt", (-29, -28)),
    ],
)
def test_edges_by_operator(within_s: float, op: Operator, expected: tuple[int, int]) -> None:
    assert edges(within_s, op) == expected


@given(st.floats(1e-6, 1e6), st.sampled_from([("lte", "gt"), ("lt", "gte")]))
def test_what_is_over_a_threshold_is_cut_where_what_is_under_it_is(
    within_s: float, ops: tuple[Operator, Operator]
) -> None:
    under, over = ops
    assert edges(within_s, under) == edges(within_s, over)


@given(st.floats(1e-6, 1e6))
def test_edges_lie_on_their_sides(within_s: float) -> None:
    fast, cut = edges(within_s)
    assert 2 ** ((fast + 1) / 16) <= within_s * (1 + 1e-9)
    if cut == fast:
        assert math.isclose(2 ** ((fast + 1) / 16), within_s, rel_tol=1e-9)
    else:
        assert cut == fast + 1
        assert 2 ** (cut / 16) < within_s < 2 ** ((cut + 1) / 16)


def test_no_globs_are_no_pattern() -> None:
    assert pattern(()) == ""


@pytest.mark.parametrize(
    ("globs", "name", "matches"),
    [
        (["GET /cart*"], "GET /cart/{id}", True),
        (["GET /cart*"], "POST /cart", False),
        (["GET /cart"], "GET /cart/1", False),
        (["/v?/a"], "/v1/a", True),
        (["/v?/a"], "/v10/a", False),
        (["eu-*", "us"], "us", True),
        (["eu-*", "us"], "us-1", False),
        (["v[12]"], "v2", True),
        (["v[!12]"], "v2", False),
        (["a.b"], "axb", False),
        (["(a|b)"], "a", False),
    ],
)
def test_globs(globs: list[str], name: str, matches: bool) -> None:
    sql = "SELECT regexp_matches($name, $pattern)"
    parameters = {"name": name, "pattern": pattern(globs)}
    assert duckdb.sql(sql, params=parameters).fetchall() == [(matches,)]


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
@example("[!]", "!")
@example("[]]", "]")
@example("[a", "[a")
@example("[z-a]", "b")
@example("[a-]", "-")
@example("[^a]", "^")
@example("a**b", "axxb")
def test_globs_match_as_fnmatch_does(glob: str, name: str) -> None:
    sql = "SELECT regexp_matches($name, $pattern)"
    found = duckdb.sql(sql, params={"name": name, "pattern": pattern([glob])}).fetchall()
    assert found == [(fnmatchcase(name, glob),)]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({}, "name either requests or an sli"),
        ({"requests": "all", "sli": "lag"}, "name either requests or an sli"),
        ({"requests": "successful"}, "every successful request is good; add within_s"),
    ],
)
def test_a_measure_measures_something(what: dict[str, str], says: str) -> None:
    with pytest.raises(ObjectiveError, match=f"objective 'o': .*{re.escape(says)}"):
        Measure("o", "d", ("cart",), **what)  # type: ignore[arg-type]


def test_measures_of_one_selector_are_counted_together() -> None:
    faults = [Measure(f"{name}-faults", "d1", (name,), requests="all") for name in ("a", "b")]
    fast = Measure("fast", "d2", ("a", "b"), requests="all", within_s=0.3)
    assert [triples for _, triples in grouped([*faults, fast])] == [
        [("a", "a-faults", "d1"), ("b", "b-faults", "d1")],
        [("a", "fast", "d2"), ("b", "fast", "d2")],
    ]


@pytest.mark.parametrize(
    ("op", "is_good"), [("lte", False), ("lt", False), ("gt", True), ("gte", True)]
)
def test_slow_requests_are_good_where_the_threshold_is_to_be_exceeded(
    op: Operator, is_good: bool
) -> None:
    measure = Measure("o", "d", ("cart",), requests="successful", within_s=0.3, op=op)
    assert measure.parameters["slow_is_good"] is is_good
