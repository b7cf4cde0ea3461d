"""Google's analyser of GoogleSQL over every query, rollup and source: ``python -m tests.queries.analyse``.

It prints each file that does not fit the contracts with what is wrong, and ends with 1 if there
is one.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.queries.mapped_sources import mapped
from tests.queries.reference_engine import Reference
from zetasql.core.exceptions import ZetaSQLError

from fleetslo import resources
from fleetslo.warehouse.contracts import Contract, read_contracts
from fleetslo.warehouse.queries import Query, read_query
from fleetslo.warehouse.sources import list_sources, read_source

# Where pytest keeps the compiled module too; see reference_engine.
CACHE = Path(".pytest_cache/d/zetasql")


def statements() -> Iterator[tuple[Query, Mapping[str, Contract]]]:
    """Yield every query, rollup and source with the contracts of what it may read."""
    for name, _ in resources.listing("queries", "*/*.sql"):
        yield read_query(name.removesuffix(".sql")), read_contracts()
    for name in list_sources():
        query, reads = mapped(read_source(name))
        yield query, {"raw": reads}


def misfit(query: Query, contracts: Mapping[str, Contract], cache: Path = CACHE) -> str | None:
    """Return what the analyser holds against a statement, or None."""
    says = {column.name: str(column.type) for column in query.columns}
    try:
        found = Reference(contracts, cache).columns(query)
    except ZetaSQLError as error:
        return str(error)
    return None if found == says else f"it answers with {found}; the contract says {says}"


def main() -> int:
    """Print every misfit; return 1 if there is one, else 0."""
    CACHE.mkdir(parents=True, exist_ok=True)
    misfits = 0
    for query, contracts in statements():
        wrong = misfit(query, contracts)
        if wrong is not None:
            misfits += 1
            print(f"queries/{query.name}.sql: {wrong}", file=sys.stderr)
    return 1 if misfits else 0


if __name__ == "__main__":
    sys.exit(main())
