"""Rows of files, typed into one table in DuckDB, each with what is wrong with it.

The table ``staged`` has the contract's columns and ``file number``, ``row number`` and ``fault``.
A fault is ``column ␟ value ␟ why``; the first of a row counts. Everything is done by vectorised
SQL, so that one bad row in a million is found at the speed of reading.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fleetslo.errors import ContractError, nearest
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.conversions import converted, raw_name
from fleetslo.warehouse.engine import answer, explained, listed, literal, quoted
from fleetslo.warehouse.reading import MARK, NULL, Opened, fault
from fleetslo.warehouse.rules import Check

# How many refused rows are named; the rest are counted.
NAMED = 10
# What is said of a value that is not there and has to be.
EMPTY = "is empty; the contract wants a value"


def make_table(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the empty table ``staged`` for rows of a contract."""
    columns = ", ".join(f"{quoted(c.name)} {c.type.duckdb}" for c in contract.columns)
    numbers = '"file number" INTEGER, "row number" BIGINT'
    connection.execute(f"CREATE TABLE staged ({numbers}, fault VARCHAR, {columns})")


def stage(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: Opened, number: int
) -> None:
    """Add the rows of a file to ``staged``, each converted and judged.

    Args:
        connection: has the table ``staged``.
        contract: what the rows must keep.
        rows: the opened file.
        number: the file's place among the files of this load.

    Raises:
        ContractError: a column is missing, unknown or of a type that cannot be converted.
        DataFileError: the file is cut short or damaged.
    """
    _match_columns(contract, rows)
    where, csv = f"{rows.name}: {contract.table}", rows.kind == "csv"
    raws, values, faults = [], [], ["broken"]
    for column in contract.columns:
        name, raw = quoted(column.name), raw_name(column.name)
        given = rows.types.get(column.name)
        raws.append(f"{name if given else 'CAST(NULL AS VARCHAR)'} AS {raw}")
        conversion = converted(where, column, raw, given or "VARCHAR", from_csv=csv)
        values.append(f"{conversion.value} AS {name}")
        why = conversion.why
        condition = f"{name} IS NULL AND {raw} IS NOT NULL"
        if not column.nullable:
            condition = f"{name} IS NULL"
            why = f"CASE WHEN {raw} IS NULL THEN {literal(EMPTY)} ELSE {why} END"
        faults.append(f"CASE WHEN {condition} THEN {fault(literal(column.name), raw, why)} END")
    faults += [
        _judged(contract, check) for check in contract.every_check if check.severity == "fail"
    ]
    with explained(rows.name, None if rows.kind == "mapped" else rows.name):
        connection.execute(
            f'INSERT INTO staged WITH given AS (SELECT "row number", broken, {", ".join(raws)} '
            f"FROM ({rows.select})), "
            f"typed AS (SELECT *, {', '.join(values)} FROM given) "
            f'SELECT {number}, "row number", coalesce({", ".join(faults)}), '
            f"{listed(contract.by_name)} FROM typed"
        )


@dataclass(frozen=True)
class Blame:
    """What is said of a row that breaks a rule: which ``column``, why, and what else matters."""

    column: str
    why: str
    others: tuple[str, ...]


def blame(contract: Contract, check: Check) -> Blame:
    """Return what is said of a row that breaks a rule of a contract."""
    words = dict.fromkeys(re.findall(r"\w+", check.expression))
    named = [name for name in words if name in contract.by_name]
    plain = [name for name in named if contract.by_name[name].type.kind not in ("ARRAY", "STRUCT")]
    column = check.column or plain[0]
    why = f"the contract wants {check.name}"
    if check.name != check.expression and not check.column:
        why += f" ({check.expression})"
    return Blame(column, why, tuple(name for name in plain if name != column))


def _judged(contract: Contract, check: Check) -> str:
    """Return SQL that is null where a row keeps a rule, and its fault where it does not."""
    said = blame(contract, check)
    others = ", ".join(
        f"', {name} is ', coalesce(CAST({quoted(name)} AS VARCHAR), 'null')" for name in said.others
    )
    reason = f"concat({literal(said.why)}, {others})" if others else literal(said.why)
    found = fault(literal(said.column), raw_name(said.column), reason)
    return f"CASE WHEN NOT ({check.sql('duckdb')}) THEN {found} END"


def _match_columns(contract: Contract, rows: Opened) -> None:
    for name in rows.types:
        if name not in contract.by_name:
            raise ContractError(
                f"{rows.name}: {contract.table} has no column {name!r}."
                f"{nearest(name, list(contract.by_name))} "
                "Leave it out, or map the file with a source"
            )
    needed = [one for one in contract.columns if not one.nullable and not one.type.is_histogram]
    missing = [repr(one.name) for one in needed if one.name not in rows.types]
    if missing:
        noun = f"column {missing[0]}" if len(missing) == 1 else f"columns {', '.join(missing)}"
        raise ContractError(
            f"{rows.name}: {noun} of {contract.table} {'is' if len(missing) == 1 else 'are'} "
            f"missing; the file has {', '.join(rows.types)}. "
            f"'fleetslo warehouse describe {contract.table}' says what each is"
        )


def refuse_faults(
    connection: duckdb.DuckDBPyConnection, contract: Contract, names: Sequence[str]
) -> None:
    """Refuse a load with rows that break the contract.

    Args:
        connection: has the table ``staged``.
        contract: the contract, for messages.
        names: the files by number.

    Raises:
        ContractError: names the first rows with column, value and rule, and counts the rest.
    """
    count = answer(connection, "SELECT count(*) FROM staged WHERE fault IS NOT NULL")[0][0]
    if not count:
        return
    rows = answer(
        connection,
        'SELECT "file number", "row number", fault FROM staged WHERE fault IS NOT NULL '
        f'ORDER BY "file number", "row number" LIMIT {NAMED}',
    )
    lines = []
    for number, row, text in rows:
        column, value, why = text.split(MARK)
        named = f"column {column!r} is {value!r}" if value != NULL else f"column {column!r}"
        lines.append(f"{names[number]}: row {row:,}: {named}: {why}")
    raise refusal(contract, "row", count, lines)


def refuse_duplicates(
    connection: duckdb.DuckDBPyConnection, contract: Contract, names: Sequence[str]
) -> None:
    """Refuse a load in which two rows have the same grain.

    Raises:
        ContractError: names the first such rows and what they share, and counts the rest.
    """
    grain = listed(contract.grain)
    twice = f"SELECT {grain}, count(*) AS n FROM staged GROUP BY {grain} HAVING count(*) > 1"
    extra = answer(connection, f"SELECT sum(n - 1) FROM ({twice})")[0][0]
    if not extra:
        return
    shared = ", ".join(
        f"coalesce(CAST({quoted(name)} AS VARCHAR), 'null')" for name in contract.grain
    )
    rows = answer(
        connection,
        f"SELECT list({{'file': \"file number\", 'row': \"row number\"}} "
        'ORDER BY "file number", "row number")[1:2], '
        f"first(concat_ws(', ', {shared})) FROM staged "
        f"GROUP BY {grain} HAVING count(*) > 1 "
        f'ORDER BY min("file number"), min("row number") LIMIT {NAMED}',
    )
    lines = []
    for (one, other), what in rows:
        place = f"row {one['row']:,}"
        if one["file"] != other["file"]:
            place += f" of {names[one['file']]}"
        lines.append(
            f"{names[other['file']]}: row {other['row']:,}: has the same "
            f"{', '.join(contract.grain)} as {place}: {what}"
        )
    raise refusal(contract, "duplicate row", int(extra), lines)


def refusal(contract: Contract, what: str, count: int, lines: list[str]) -> ContractError:
    """Return the error that refuses a load, with a line for each of the first faults."""
    head = f"{contract.table}: nothing was loaded"
    if count == 1:
        return ContractError(f"{head}: {lines[0]}")
    shown = [f"  {line}" for line in lines]
    if count > len(lines):
        shown.append(f"  and {count - len(lines):,} more")
    return ContractError("\n".join([f"{head}: {count:,} {what}s break the contract", *shown]))
