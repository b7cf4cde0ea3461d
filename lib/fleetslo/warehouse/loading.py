"""Files into tables: read, judge every row, merge by grain, put in place all at once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from fleetslo.errors import DataFileError, ParameterError, UsageError
from fleetslo.warehouse.base import LoadReport, Progress
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.engine import (
    answer,
    connected,
    explained,
    listed,
    quoted,
    refuse_damaged,
)
from fleetslo.warehouse.journal import staged
from fleetslo.warehouse.layout import Layout
from fleetslo.warehouse.merging import Merge
from fleetslo.warehouse.reading import Opened, kind_of, opened
from fleetslo.warehouse.sources import Source
from fleetslo.warehouse.staging import make_table, refuse_duplicates, refuse_faults, stage


@dataclass(frozen=True)
class Job:
    """One load: the table, what goes in, and how the folder will remember it."""

    contract: Contract
    files: tuple[Path, ...]
    step: timedelta | None = None
    source: Source | None = None
    parameters: Mapping[str, Any] | None = None

    def keys(self) -> dict[str, tuple[Path, ...]]:
        """Return what is loaded by digest: each file alone, or all files of a source together."""
        digests = {file: _digest(file) for file in self.files}
        if self.source is None:
            return {digest: (file,) for file, digest in digests.items()}
        whole = [*digests.values(), self.source.sql, json.dumps(self.parameters or {}, default=str)]
        return {hashlib.sha256("\n".join(whole).encode()).hexdigest(): self.files}


def job(
    contract: Contract,
    files: Sequence[Path],
    step: timedelta | None = None,
    source: Source | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Job:
    """Return a load whose parts go together.

    A source may say the step itself; what the caller says comes first.

    Raises:
        UsageError: no file, parameters without a source, or a source that fills another table.
        ParameterError: a step that the table cannot have.
    """
    if not files:
        raise UsageError(f"no file to load into {contract.table}; name at least one")
    if source is None and parameters:
        raise UsageError(
            f"parameter {next(iter(parameters))!r} belongs to a source, and none is named; "
            "add --source NAME"
        )
    if source is not None and source.fills != contract.table:
        raise UsageError(
            f"source {source.name!r} fills {source.fills!r}, not {contract.table!r}; "
            f"load it into {source.fills}"
        )
    if step is None and source is not None:
        step = source.step
    check_step(contract, step)
    return Job(contract, tuple(dict.fromkeys(map(Path, files))), step, source, parameters)


def _digest(file: Path) -> str:
    kind_of(file)
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DataFileError(f"{file}: cannot be read: {error.strerror or error}") from None


def load(layout: Layout, job: Job, progress: Progress | None = None) -> LoadReport:
    """Load files into a table; see ``Warehouse.load``."""
    show = progress or (lambda what, done, total: None)
    with staged(layout) as staging, connected(staging.folder) as connection:
        known = {entry["sha256"] for entry in layout.meta["loads"] if _counts(entry, job)}
        keys = job.keys()
        fresh = {key: files for key, files in keys.items() if key not in known}
        again = tuple(file for key, files in keys.items() if key in known for file in files)
        if not fresh:
            return LoadReport(rows=0, days=0, already_loaded=again)
        already = layout.files(job.contract.table)
        with refuse_damaged(connection, already), explained(f"load {job.contract.table}"):
            judge(connection, job, list(fresh.values()), show)
            merge = Merge(layout, staging, connection, job.contract)
            merge.run(show)
            rows = answer(connection, "SELECT count(*) FROM staged")[0][0]
            staging.commit(_memory(layout, connection, job, fresh, merge))
    return LoadReport(rows, len(merge.sizes), merge.replaced, again)


def judge(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    groups: Sequence[tuple[Path, ...]],
    show: Progress,
) -> None:
    """Fill the table ``staged`` with the rows of files, every one of them sound.

    Args:
        connection: has no such table yet.
        job: what is loaded.
        groups: the files that are read together: those of a source, or each alone.
        show: is told of every file.

    Raises:
        ContractError: a row breaks the contract, or two have the same grain.
        DataFileError: a file is cut short or damaged.
    """
    make_table(connection, job.contract)
    names = _stage_files(connection, job, groups, show)
    refuse_faults(connection, job.contract, names)
    refuse_duplicates(connection, job.contract, names)


def _counts(entry: Mapping[str, Any], job: Job) -> bool:
    """Return whether a file that the folder remembers is the same load, and still in force."""
    same = entry["table"] == job.contract.table and entry["step_s"] == _seconds(job.step)
    return same and not entry.get("superseded", False)


def _seconds(step: timedelta | None) -> int | None:
    return None if step is None else int(step.total_seconds())


def check_step(contract: Contract, step: timedelta | None) -> None:
    """Refuse a step that rows of a table cannot have.

    Raises:
        ParameterError: the table has no time grain, or the step is no whole number of its own.
    """
    if step is None:
        return
    finest = contract.step
    if finest is None:
        raise ParameterError(
            f"{contract.table} has no time grain, so a step means nothing; leave it out"
        )
    if step < finest or step % finest:
        raise ParameterError(
            f"step {step} is not a whole number of the {finest} that a row of "
            f"{contract.table} covers"
        )


def _stage_files(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    groups: Sequence[tuple[Path, ...]],
    show: Progress,
) -> list[str]:
    """Put every row into ``staged``; return what to call each file."""
    names: list[str] = []
    for number, files in enumerate(groups):
        show(f"reading {files[0].name}", number, len(groups))
        if job.source is None:
            rows = opened(connection, files[0], job.contract.by_name)
        else:
            connection.register("mapped", job.source.rows(files, job.parameters))
            rows = _mapped(connection, job.source)
        names.append(rows.name)
        stage(connection, job.contract, rows, number)
    show("reading", len(groups), len(groups))
    return names


def _mapped(connection: duckdb.DuckDBPyConnection, source: Source) -> Opened:
    """Return the rows that a source made of its files, registered as ``mapped``."""
    described = answer(connection, "DESCRIBE SELECT * FROM mapped")
    types = {str(row[0]): str(row[1]) for row in described}
    select = (
        'SELECT row_number() OVER () AS "row number", CAST(NULL AS VARCHAR) AS broken, '
        f"{listed(types)} FROM mapped"
    )
    return Opened(f"source {source.name}", "mapped", select, types)


def _memory(
    layout: Layout,
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    fresh: Mapping[str, tuple[Path, ...]],
    merge: Merge,
) -> dict[str, Any]:
    """Return what the folder remembers of a load, beside what it remembers already."""
    meta = layout.meta
    days = [day.isoformat() for day in merge.sizes if day is not None]
    loads = [dict(entry) for entry in meta["loads"]]
    if merge.replaced:
        for entry in loads:
            if entry["table"] == job.contract.table and _overlap(entry["days"], days):
                entry["superseded"] = True
    loads += [
        {
            "table": job.contract.table,
            "files": [file.name for file in files],
            "sha256": key,
            "days": [days[0], days[-1]] if days else [],
            "source": job.source.name if job.source else None,
            "step_s": _seconds(job.step),
        }
        for key, files in fresh.items()
    ]
    versions = meta["contracts"] | {job.contract.table: job.contract.version}
    table, steps = job.contract.table, dict(meta["steps"])
    if job.step is not None and job.step != job.contract.step:
        steps[table] = _steps(connection, job, steps.get(table, {}))
    return {"loads": loads, "contracts": versions, "steps": steps}


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two runs of days share one; a table without days overlaps itself."""
    return not one or not other or (one[0] <= other[-1] and other[0] <= one[-1])


def _steps(
    connection: duckdb.DuckDBPyConnection, job: Job, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the stretches in which each service's source is coarser than the table."""
    steps = {service: list(stretches) for service, stretches in known.items()}
    time, step_s = quoted(job.contract.partition or ""), _seconds(job.step)
    rows = answer(
        connection,
        f"SELECT service, strftime(min({time}), '%Y-%m-%dT%H:%M:%SZ'), "
        f"strftime(max({time}) + to_seconds({step_s}), '%Y-%m-%dT%H:%M:%SZ') "
        "FROM staged GROUP BY service ORDER BY service",
    )
    for service, first, last in rows:
        stretch = [first, last, step_s]
        if stretch not in steps.setdefault(service, []):
            steps[service].append(stretch)
    return steps
