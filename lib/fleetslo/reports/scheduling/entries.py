"""One report of the schedule, as it is written: its keys, their types and what they default to."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fleetslo.reports.scheduling.timing import EVERY, Timing

EACH = ("service", "squad", "system", "region")
_UNITS_S = {"s": 1, "m": 60, "h": 3600}


class Asked(BaseModel):
    """Whom a report is made for, where a question says it: each value of one of its columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    column: str

    def __str__(self) -> str:
        """Return it as a plan names it: ``region of fleet/regions``."""
        return f"{self.column} of {self.query}"


def seconds(text: str) -> float:
    """Return the seconds of a time such as 90s, 15m or 2h.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d+)([smh])", text)
    if match is None or int(match[1]) == 0:
        raise ValueError("write a time such as 90s, 15m or 2h")
    return float(int(match[1]) * _UNITS_S[match[2]])


def _seconds(value: object) -> object:
    return None if value is None else seconds(value if isinstance(value, str) else "")


class Entry(BaseModel):
    """One report of the schedule. ``page`` is the first part of its pages' names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    notebook: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(pattern=r"^[^/\s]+$")] = ""
    every: Literal["day", "week", "month"] | None = None
    cron: str | None = None
    zone: str = "UTC"
    for_each: Literal["service", "squad", "system", "region"] | Asked | None = None
    period: Annotated[str, BeforeValidator(str)] = "28d"
    page: Annotated[str, Field(pattern=r"^[^/\s]+$")] = ""
    parameters: Annotated[
        dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)
    ] = Field(default_factory=dict)
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    time_limit: Annotated[float | None, BeforeValidator(_seconds)] = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    tell: tuple[str, ...] = Field(default=(), strict=False)
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, written: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fill in what follows from other keys: page, name and rhythm."""
        page = written.get("page", str(written.get("notebook", "")).rpartition("/")[2])
        rhythm = {} if {"every", "cron"} & written.keys() else {"every": "week"}
        return {"page": page, "name": page, **rhythm, **written}

    @model_validator(mode="after")
    def _due(self) -> Self:
        if self.every and self.cron:
            raise ValueError("it has 'every' and 'cron'; write one of them")
        _ = self.timing  # refuses what cannot be read
        return self

    @cached_property
    def timing(self) -> Timing:
        """When the report is due."""
        return Timing(self.cron or EVERY[self.every or "week"], self.zone)

    @property
    def subject(self) -> str | None:
        """The parameter that names whom a page is about; None where the report is one page."""
        return self.for_each.column if isinstance(self.for_each, Asked) else self.for_each


ADVICE = {
    "notebook": "write 'notebook: reports/service_slo'",
    "name": "write one word, such as service_slo",
    "every": "write one of day, week, month",
    "cron": "write five fields in quotes, such as '0 6 * * mon'",
    "zone": "write an IANA name, such as Europe/Berlin",
    "for_each": "write service, squad, system, region or {query: fleet/seen, column: service}, "
    "or leave it out",
    "parameters": "write name: value under it",
    "page": "write one word, such as service_slo",
    "retries": "write a whole number from 0 to 10",
    "time_limit": "write a time such as 90s, 15m or 2h",
    "priority": "write a whole number from -100 to 100; higher comes first",
    "tell": "write a list of names, such as [payments-oncall]",
}
"""What to write instead of a value that a key cannot have."""
