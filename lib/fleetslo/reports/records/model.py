"""What the record of a run says: the fields of ``manifest.json``, and its JSON schema.

A field may be added without the number of the format changing; whoever reads leaves alone what it
does not know.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    WithJsonSchema,
)

from fleetslo.reports.jobs import Outcome

FORMAT: Literal[2] = 2

Trigger = Literal["manual", "schedule", "backfill", "export"]
RunOutcome = Literal["running", "ok", "failed", "cancelled", "killed"]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encodable(value: Any) -> Any:
    """Return a JSON value without the halves of characters that no file can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_encodable(name): _encodable(one) for name, one in value.items()}
    if isinstance(value, Sequence):
        return [_encodable(one) for one in value]
    return value


Instant = Annotated[
    datetime,
    AfterValidator(_utc),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Text = Annotated[str, BeforeValidator(_encodable)]
Json = Annotated[dict[str, JsonValue], BeforeValidator(_encodable)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_serialization_defaults_required=True
    )


class Interval(_Part):
    """What a report covers, from its start up to, but not including, its end."""

    start: Instant
    end: Instant
    zone: Annotated[str, Field(description="the zone that both are written in")] = "UTC"


class FailureRecord(_Part):
    """Why a notebook did not reach its end."""

    cell: Annotated[
        int | None,
        Field(
            description="the cell, counted from 1 as JupyterLab shows them, without the one of "
            "parameters that a run adds; null where none is at fault"
        ),
    ] = None
    line: Annotated[int | None, Field(description="the line of the cell")] = None
    error: Annotated[Text, Field(description="the name of the error")]
    message: Text
    traceback: list[Text] = []


class Artefact(_Part):
    """A file that came of a job."""

    kind: Annotated[
        Literal["notebook", "page", "error page"],
        Field(description="a notebook is partial where the job failed"),
    ]
    path: Annotated[
        Text, Field(description="below the home folder; an absolute one where it lies elsewhere")
    ]
    sha256: Hash
    size_bytes: int


class JobRecord(_Part):
    """One report of a run: what was asked for, and what became of it."""

    entry: Annotated[Text, Field(description="its name in the schedule; empty for one report")] = ""
    key: Annotated[
        str, Field(description="the same for two jobs that give the same page; empty if unknown")
    ] = ""
    page: Annotated[Text, Field(description="the page's name")]
    path: Annotated[Text, Field(description="the page's file in the site")]
    notebook: Text
    notebook_sha256: Annotated[
        Hash | None, Field(description="of the notebook's file when the run began")
    ] = None
    service: Text | None = None
    squad: Text | None = None
    interval: Annotated[
        Interval | None, Field(description="null where only the notebook knows")
    ] = None
    parameters: Annotated[
        Json, Field(description="a secret is its reference, ${NAME}, or asterisks; never its value")
    ] = {}
    outcome: Annotated[
        Outcome | None,
        Field(
            description="null while it has not ended; it stays null where the run was killed "
            "before that, or did not come so far"
        ),
    ] = None
    reused_from: Annotated[
        str | None, Field(description="the earlier run that executed it under the same key")
    ] = None
    duration_s: float | None = None
    cell_durations_s: Annotated[
        list[float | None],
        Field(
            description="of each cell, counted as in failure; null for text, and for what did not "
            "run"
        ),
    ] = []
    peak_memory_bytes: int | None = None
    verdict: str | None = None
    headline: Annotated[Json, Field(description="the numbers that its page says first")] = {}
    failure: FailureRecord | None = None
    artefacts: Annotated[
        list[Artefact], Field(description="those that this run made; none of what it took over")
    ] = []


class QuestionRecord(_Part):
    """A question that a batch asked its warehouse, for the whole fleet."""

    name: str
    start: str
    end: str
    digest: Annotated[str, Field(description="tells questions of other parameters apart")]
    rows: int
    duration_s: float
    report: Annotated[
        Text, Field(description="the notebook that asked; empty: asked once for all, beforehand")
    ] = ""
    page: Annotated[Text, Field(description="the page of the job that asked")] = ""
    bytes_read: Annotated[int | None, Field(description="null: it has no jobs")] = None
    bytes_billed: int | None = None
    cached: bool | None = None
    job_id: str | None = None


class TableRecord(_Part):
    """How far a table reached when the run began."""

    table: str
    newest_at: Annotated[Instant, Field(description="time of its newest row")]


class DataRecord(_Part):
    """What the warehouse held when the run began."""

    warehouse: Annotated[str, Field(description="its address")]
    fingerprint: Annotated[
        str, Field(description="changes whenever stored data does; empty where nothing tells")
    ] = ""
    complete_until: Instant | None = None
    tables: Annotated[list[TableRecord], Field(description="those that have a time")] = []


class Host(_Part):
    """Where it ran."""

    name: str
    python: str
    cpu_count: int | None
    versions: Annotated[
        dict[str, str], Field(description="of every installed package; lock_sha256 is of these")
    ]


class Publication(_Part):
    """Where readers see what came of a run."""

    release: Annotated[str, Field(description="the release of the site in the home folder")]
    store: Annotated[
        str | None, Field(description="the address of the storage that shows it, too")
    ] = None


class RunFailure(_Part):
    """Why a run failed as a whole; null where it went to its end and single reports failed."""

    error: str
    message: Text


class RunRecord(_Part):
    """The record of a run of ``fleetslo run`` or ``fleetslo report``."""

    format: Literal[2] = FORMAT
    fleetslo: Annotated[str, Field(description="the version that wrote it")]
    run_id: str
    trigger: Annotated[Trigger, Field(description="what began it")] = "manual"
    attempt: Annotated[int, Field(ge=1, description="which try it is")] = 1
    as_of: Annotated[str, Field(description="the day that periods end on; empty if unknown")] = ""
    outcome: Annotated[
        RunOutcome,
        Field(
            description="failed: at least one report did, or the run as a whole. killed: the "
            "process was gone; what it last wrote is in here"
        ),
    ]
    failure: RunFailure | None = None
    started_at: Instant
    written_at: Annotated[
        Instant | None, Field(description="when this was written by the run itself")
    ] = None
    ended_at: Annotated[
        Instant | None,
        Field(description="null while it runs; of a killed run, when it last wrote"),
    ] = None
    duration_s: float
    code_sha256: Annotated[
        Hash | None, Field(description="of fleetslo, questions, objectives and own modules")
    ] = None
    lock_sha256: Annotated[
        Hash | None, Field(description="of Python's version and of those of all packages")
    ] = None
    host: Host | None = None
    data: Annotated[
        DataRecord | None, Field(description="null for one report: its notebook asks for itself")
    ] = None
    publication: Annotated[
        Publication | None, Field(description="null where nothing was published")
    ] = None
    questions: list[QuestionRecord] = []
    reports: Annotated[
        list[str],
        Field(
            description="reports of the schedule that the run was to make, also where it broke "
            "off before it had a plan; empty for one report"
        ),
    ] = []
    planned: Annotated[
        dict[str, int],
        Field(
            description="pages of each report of the schedule in all, more than the run makes "
            "where it is a shard or makes some only; empty for one report"
        ),
    ] = {}
    jobs: list[JobRecord] = []

    @property
    def bytes_read(self) -> int | None:
        """What its questions read together; None where nothing is counted."""
        known = [one.bytes_read for one in self.questions if one.bytes_read is not None]
        return sum(known) if known else None

    @property
    def missed(self) -> list[JobRecord]:
        """The jobs that came to no page."""
        return [job for job in self.jobs if job.outcome != "ok"]


def schema() -> dict[str, Any]:
    """Return the JSON schema of a record."""
    made = RunRecord.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"fleetslo/run-manifest/{FORMAT}",
        **made,
    }
