"""Whether a folder's tables are those of the present contracts, and how to bring them up."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from fleetslo.errors import ContractError, MigrationNeeded
from fleetslo.warehouse.base import Progress
from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.engine import (
    answer,
    connected,
    explained,
    listed,
    literal,
    quoted,
    refuse_damaged,
    write_parquet,
)
from fleetslo.warehouse.journal import Staging, staged
from fleetslo.warehouse.layout import FORMAT, Layout


def require_current(layout: Layout, contracts: Sequence[Contract]) -> None:
    """Refuse a folder, or tables in it, that another version wrote.

    Raises:
        MigrationNeeded: names the tables and the command that brings them up.
    """
    meta = layout.meta
    _require_format(layout, meta)
    behind = [contract for contract in contracts if _version(layout, meta, contract) is not None]
    if not behind:
        return
    contract = behind[0]
    version = _version(layout, meta, contract)
    if version is not None and version > contract.version:
        raise MigrationNeeded(
            f"{layout.folder}: table {contract.table!r} has version {version} of its contract and "
            f"this fleetslo knows {contract.version}; upgrade fleetslo"
        )
    raise MigrationNeeded(
        f"{layout.folder}: table {contract.table!r} has version {version} of its contract, not "
        f"{contract.version}; run 'fleetslo warehouse migrate'"
    )


def _require_format(layout: Layout, meta: Mapping[str, Any]) -> None:
    if meta["format"] > FORMAT:
        raise MigrationNeeded(
            f"{layout.folder} has format {meta['format']} and this fleetslo knows {FORMAT}; "
            "upgrade fleetslo"
        )


def _version(layout: Layout, meta: Mapping[str, Any], contract: Contract) -> int | None:
    """Return the version that a table has on disk, or None where it is current or empty."""
    version = int(meta["contracts"].get(contract.table, contract.version))
    if version == contract.version or not layout.files(contract.table):
        return None
    return version


def migrate(
    layout: Layout, contracts: Mapping[str, Contract], progress: Progress | None = None
) -> list[str]:
    """Write every table of an older version anew, all of them or none.

    Columns that are new and may be null are filled with null, renamed ones are carried over,
    those that the contract no longer has are left out, and values are cast to the new types.

    Returns:
        The tables that were written anew.

    Raises:
        MigrationNeeded: the folder is of a newer fleetslo.
        ContractError: a column that may not be null cannot be filled.
        OutputError: the folder cannot be written.
    """
    show = progress or (lambda what, done, total: None)
    with staged(layout) as staging, connected(staging.folder) as connection:
        meta = layout.meta
        _require_format(layout, meta)
        behind = [one for one in contracts.values() if _version(layout, meta, one) is not None]
        for done, contract in enumerate(behind):
            version = _version(layout, meta, contract)
            if version is not None and version > contract.version:
                require_current(layout, [contract])
            show(f"migrating {contract.table}", done, len(behind))
            _rewrite(layout, staging, connection, contract)
        current = {name: contract.version for name, contract in contracts.items()}
        staging.commit({"contracts": meta["contracts"] | current, "format": FORMAT})
    return [contract.table for contract in behind]


def _rewrite(
    layout: Layout, staging: Staging, connection: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    for day in [None, *layout.days(contract.table)]:
        files = sorted(layout.partition(contract.table, day).glob("part-*.parquet"))
        if not files:
            continue
        paths = ", ".join(literal(path) for path in files)
        source = f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
        with refuse_damaged(connection, files), explained(f"migrate {contract.table}"):
            described = answer(connection, f"DESCRIBE SELECT * FROM {source}")
            stored = {str(row[0]) for row in described}
            columns = [_carried(contract, column, stored, files[0]) for column in contract.columns]
            target = staging.replace(contract.table, day)
            select = f"SELECT {', '.join(columns)} FROM {source} ORDER BY {listed(contract.order)}"
            write_parquet(connection, select, target)


def _carried(contract: Contract, column: Column, stored: set[str], file: Path) -> str:
    """Return SQL for a column of the new contract, out of those that are stored."""
    for name in (column.name, column.renamed_from):
        if name in stored:
            return f"CAST({quoted(name)} AS {column.type.duckdb}) AS {quoted(column.name)}"
    if column.type.is_histogram:
        return f"CAST([] AS {column.type.duckdb}) AS {quoted(column.name)}"
    if not column.nullable:
        raise ContractError(
            f"{file}: column {column.name!r} of {contract.table} is new and may not be null; "
            "load the table again from its source into a new warehouse"
        )
    return f"CAST(NULL AS {column.type.duckdb}) AS {quoted(column.name)}"
