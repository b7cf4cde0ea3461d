"""What whoever waits for an answer is told: what it would read, how far it is, what it cost."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Asked:
    """One question that BigQuery answered, for a manifest, a notebook or a terminal.

    Attributes:
        name: the question's name.
        job_id: BigQuery's name of the job.
        bytes_estimated: what the dry run said it would read at most.
        bytes_processed: what it read.
        bytes_billed: what is billed for on demand; 0 where the cache answered.
        cache_hit: whether BigQuery had the answer already.
        row_count: the rows that arrived.
        seconds: the time from the dry run to the last row.
    """

    name: str
    job_id: str
    bytes_estimated: int
    bytes_processed: int
    bytes_billed: int
    cache_hit: bool
    row_count: int
    seconds: float


class Watcher(Protocol):
    """Whom a question tells how it goes. ``answered`` or ``failed`` is the last it hears of one."""

    def estimated(self, name: str, byte_count: int) -> None:
        """Hear what a question would read at most, before it runs."""

    def may_exceed(self, name: str, byte_count: int, limit: int) -> bool:
        """Say whether a question may run that would read more than the limit."""

    def running(self, name: str, seconds: float, done: float | None) -> None:
        """Hear that a job runs, for how long, and which share of its known work is done."""

    def reading(self, name: str, row_count: int, total: int) -> None:
        """Hear how many rows of an answer have arrived."""

    def answered(self, asked: Asked) -> None:
        """Hear that all rows have arrived."""

    def failed(self, name: str) -> None:
        """Hear that there is no answer: an error follows, or nobody wants the rest of it."""


class Silence:
    """Watches nothing, and allows nothing over the limit."""

    def estimated(self, name: str, byte_count: int) -> None:
        """Leave it."""

    def may_exceed(self, name: str, byte_count: int, limit: int) -> bool:
        """Say no: nobody is there to be asked."""
        return False

    def running(self, name: str, seconds: float, done: float | None) -> None:
        """Leave it."""

    def reading(self, name: str, row_count: int, total: int) -> None:
        """Leave it."""

    def answered(self, asked: Asked) -> None:
        """Leave it."""

    def failed(self, name: str) -> None:
        """Leave it."""
