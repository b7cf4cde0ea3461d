"""What objectives ask to be counted, as floor 3 hands it down."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fleetslo.errors import ObjectiveError

# Latency histograms: scale 4, upper-inclusive (DATA, "Latency").
_PER_DOUBLING = 16
_LOWEST_BUCKET = -1024
# A threshold this close to a bound (relative) is that bound, as objectives are checked.
_BOUND_TOLERANCE = 1e-9


Operator = Literal["lte", "lt", "gte", "gt"]


@dataclass(frozen=True)
class Measure:
    """What one objective counts, for each of its services.

    ``requests`` with ``within_s`` measures latency, ``requests: all`` alone measures faults, and
    ``sli`` counts ``sli_events``. ``op`` is how the duration of a good request compares with
    ``within_s``. ``endpoints``, ``regions`` and ``versions`` are globs; none measures all.
    ``definition`` names what is measured: rows of another definition do not count.
    """

    objective: str
    definition: str
    services: tuple[str, ...]
    requests: Literal["all", "successful"] | None = None
    within_s: float | None = None
    endpoints: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    sli: str | None = None
    op: Operator = "lte"

    def __post_init__(self) -> None:
        """Refuse what measures nothing.

        Raises:
            ObjectiveError: neither requests nor an sli, both, or successes that cannot fail.
        """
        if (self.requests is None) == (self.sli is None):
            raise ObjectiveError(
                f"objective {self.objective!r}: name either requests or an sli to measure"
            )
        if self.requests == "successful" and self.within_s is None:
            raise ObjectiveError(
                f"objective {self.objective!r}: every successful request is good; "
                "add within_s, or measure all requests"
            )

    @property
    def source(self) -> str:
        """The table that it is counted from."""
        return "requests" if self.sli is None else "sli_events"

    @property
    def selector(self) -> "Measure":
        """What is counted, whoever asks: equal for measures that one statement can count."""
        return replace(self, objective="", services=())

    @property
    def query(self) -> str:
        """The rollup query that counts it."""
        if self.sli is not None:
            return "rollups/slo_minutes_events"
        return f"rollups/slo_minutes_{'faults' if self.within_s is None else 'latency'}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What that query needs, beside the stretch of time, the services and their step."""
        if self.sli is not None:
            return {"sli": self.sli}
        globs = {
            "endpoints": pattern(self.endpoints),
            "regions": pattern(self.regions),
            "versions": pattern(self.versions),
        }
        if self.within_s is None:
            return globs
        fast, cut = edges(self.within_s, self.op)
        return globs | {
            "requests": self.requests,
            "fast_bucket": fast,
            "cut_bucket": cut,
            "slow_is_good": self.slow_is_good,
        }

    @property
    def slow_is_good(self) -> bool:
        """Whether good requests are those that take longer."""
        return self.op in ("gt", "gte")


def edges(within_s: float, op: Operator = "lte") -> tuple[int, int]:
    """Return the last bucket wholly on the fast side of a threshold, and the one that it cuts.

    The fast side holds the threshold itself for ``lte`` and ``gt``, and does not for ``lt`` and
    ``gte``. The two buckets are equal where none is cut: where the threshold is a bound and the
    fast side holds it. The bucket under a bound holds the bound, so that ``lt`` and ``gte`` cut it.
    """
    if within_s <= 0:
        return _LOWEST_BUCKET - 1, _LOWEST_BUCKET
    place = _PER_DOUBLING * math.log2(within_s)
    bound = round(place)
    if math.isclose(within_s, 2.0 ** (bound / _PER_DOUBLING), rel_tol=_BOUND_TOLERANCE):
        return (bound - 1, bound - 1) if op in ("lte", "gt") else (bound - 2, bound - 1)
    cut = max(math.floor(place), _LOWEST_BUCKET)
    return cut - 1, cut


def pattern(globs: Iterable[str]) -> str:
    """Return a regular expression (RE2) for names that one of the globs matches; "" without any.

    ``*`` stands for any text, ``?`` for one character, ``[ab]`` for one of these and ``[!ab]`` for
    one of the others, as in Python's ``fnmatch``.
    """
    each = [_glob(glob) for glob in globs]
    return rf"\A(?s:{'|'.join(each)})\z" if each else ""


# A set's first character may be its closing bracket; one that never closes is plain text.
_WILD = re.compile(r"\*+|\?|\[(!?+)(\]?+[^\]]*)\]")


def _glob(glob: str) -> str:
    found, end = "", 0
    for match in _WILD.finditer(glob):
        found += re.escape(glob[end : match.start()])
        end = match.end()
        if match[0].startswith("["):
            found += _one_of(match[2], negated=bool(match[1]))
        else:
            found += "." if match[0] == "?" else ".*"
    return found + re.escape(glob[end:])


def _one_of(characters: str, *, negated: bool) -> str:
    """Return a class of characters and ranges; a range that runs backwards holds nothing."""
    ranges = []
    for match in re.finditer(r"(.)-(.)|(.)", characters, re.DOTALL):
        first, last = match[1] or match[3], match[2] or match[3]
        if first <= last:
            ranges.append(f"{_in_class(first)}-{_in_class(last)}")
    if ranges:
        return f"[{'^' if negated else ''}{''.join(ranges)}]"
    return "." if negated else r"[^\x{0}-\x{10FFFF}]"


def _in_class(character: str) -> str:
    return rf"\x{{{ord(character):X}}}"


def grouped(measures: Sequence[Measure]) -> list[tuple[Measure, list[tuple[str, str, str]]]]:
    """Return each distinct selector with its (service, objective, definition), in order.

    The number of statements depends on what is measured, never on how many services measure it.
    """
    groups: dict[Measure, list[tuple[str, str, str]]] = {}
    for measure in measures:
        triples = groups.setdefault(measure.selector, [])
        triples += [(name, measure.objective, measure.definition) for name in measure.services]
    return list(groups.items())
