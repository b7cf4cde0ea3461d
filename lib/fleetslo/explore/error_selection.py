"""Which errors of a service are looked at, and how they are told apart."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from fleetslo.explore.comparison import Selection

Kind = Literal["faults", "mistakes", "all"]
KINDS: dict[Kind, str] = {
    "faults": "faults of the service",
    "mistakes": "mistakes of callers",
    "all": "all errors",
}
"""Each kind of errors, and what a reader calls it."""
NO_UPSTREAM = ""
"""The choice of errors that no upstream had a part in; in the data they have none (null)."""


@dataclass(frozen=True)
class ErrorSelection(Selection):
    """Which errors of a service are looked at, and of which requests; None means all."""

    kind: Kind = "faults"
    error: str | None = None
    upstream: str | None = None

    def errors_of(self, errors: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of ``errors/hours`` that are selected."""
        found = self.of(errors)
        if self.kind != "all":
            found = found.filter(pl.col("is_fault") == (self.kind == "faults"))
        if self.error is not None:
            found = found.filter(pl.col("error") == self.error)
        if self.upstream == NO_UPSTREAM:
            found = found.filter(pl.col("upstream").is_null())
        elif self.upstream is not None:
            found = found.filter(pl.col("upstream") == self.upstream)
        return found

    @property
    def noun(self) -> str:
        """What the errors are called in a sentence."""
        return {"faults": "faults", "mistakes": "mistakes of callers", "all": "errors"}[self.kind]

    def __str__(self) -> str:
        """Return the selection as a reader says it: ``checkout, all endpoints, …, faults``."""
        parts = [super().__str__(), f"{self.noun} {self.error or ''}".strip()]
        if self.upstream is not None:
            parts.append(f"from {self.upstream}" if self.upstream else "from no upstream")
        return ", ".join(parts)
