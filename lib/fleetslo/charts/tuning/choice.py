"""What is tried, and the words that every chart of it shares."""

from collections.abc import Iterable
from dataclasses import dataclass

from fleetslo.charts import words

FORMULA = (
    "SLI = good ÷ valid of each whole window that the data covers, one for every midnight (UTC) "
    "on which it may end; a window meets a target when its good ÷ valid is at or above it, "
    "compared as whole counts; it cannot be judged where uncertain requests decide, or where the "
    "budget is less than one request"
)


@dataclass(frozen=True)
class Choice:
    """What is tried, in words that titles share.

    Attributes:
        label: of the objective: ``Latency of buying``.
        unit: what is counted: ``requests``, ``events`` or ``slices``.
        target: what is tried.
        within_s: likewise, in seconds; None where the objective has no threshold.
        present: the objective's own target.
        query: where the counts come from.
    """

    label: str
    unit: str
    target: float
    within_s: float | None
    present: float
    query: str

    @property
    def says(self) -> str:
        """The choice as a clause: ``99.9 % within 300 ms``."""
        return words.target(self.target) + within(self.within_s)


def within(seconds: float | None) -> str:
    """Return a threshold as the end of a clause, empty for none."""
    return "" if seconds is None else f" within {words.latency(seconds)}"


def target_words(targets: Iterable[float]) -> dict[str, str]:
    """Return what a table calls each target: exactly as it was written."""
    return {str(one): words.target(one) for one in targets}
