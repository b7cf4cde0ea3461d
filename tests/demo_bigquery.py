"""``make demo-bigquery``: the demo from data to site in BigQuery, held against the embedded one.

The BigQuery is the server on loopback. Every step is the command that a user would give: create,
load, rollup, check, run. Then every field of every page is compared with the page of the embedded
warehouse. The server is slow, so the fleet is a tiny one unless told: ``SIZE=small`` for make.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from fleetslo.warehouse.contracts import read_contracts
from tests.loopback import PLACE, serving
from tests.site.comparing import fields_of, site_differences

PROJECT = Path(__file__).parent.parent
HOME = PROJECT / ".fleetslo" / "demo-bigquery"
FLEETSLO = Path(sys.executable).with_name("fleetslo")
SHOWN = 20


def do(environ: Mapping[str, str], *words: str) -> str:
    """Have a command done and return what it said; one that fails ends everything."""
    print(f"$ fleetslo {' '.join(words if len(words) < 6 else [*words[:5], '…'])}", flush=True)
    began = time.monotonic()
    done = subprocess.run(
        [FLEETSLO, *words],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(f"{done.stdout}({time.monotonic() - began:.0f} s)", flush=True)
    if done.returncode:
        raise SystemExit(f"fleetslo {' '.join(words[:3])} ended with {done.returncode}")
    return done.stdout


def embedded(home: Path, size: str) -> Mapping[str, str]:
    """Make the demo in a folder and its site; return the environment in which it is found."""
    environ = {"FLEETSLO_HOME": str(home)}
    do(environ, "demo", "--size", size)
    do(environ, "run")
    return environ


def in_bigquery(home: Path, url: str, rows: Path) -> Mapping[str, str]:
    """Fill a dataset with the rows of an embedded warehouse, and make its site."""
    environ = {
        "FLEETSLO_HOME": str(home),
        "FLEETSLO_WAREHOUSE": "bigquery://p/reliability",
        "FLEETSLO_BIGQUERY_ENDPOINT": url,
    }
    do(environ, "warehouse", "create")
    for table in read_contracts():
        if files := sorted((rows / table).rglob("*.parquet")):
            do(environ, "warehouse", "load", table, *map(str, files))
    do(environ, "warehouse", "rollup")
    do(environ, "warehouse", "check")
    do(environ, "run")
    return environ


def compared(home: Path) -> list[str]:
    """Return what differs between the two sites, and say how much was held against each other."""
    sites = [home / kind / "site" / "current" for kind in ("embedded", "bigquery")]
    runs = [site.resolve().name for site in sites]
    pages = sorted(sites[0].rglob("*.html"))
    fields = sum(fields_of(page.read_text(encoding="utf-8")) for page in pages)
    # What pages call where the numbers come from; nothing else may differ.
    aliases = {runs[1]: runs[0], "bigquery://p/reliability": "Parquet files, read by DuckDB"}
    differences = site_differences(*sites, aliases)
    print(f"{len(pages)} pages, {fields:,} fields: {len(differences):,} differ")
    return differences


def end_to_end(home: Path, size: str) -> list[str]:
    """Go the whole way in both warehouses and return what differs in the end."""
    home.mkdir(parents=True)
    embedded(home / "embedded", size)
    with serving(home / "server.log") as server:
        in_bigquery(home / "bigquery", server.url, home / "embedded" / "warehouse")
    return compared(home)


def main(words: list[str]) -> int:
    size = words[0] if words else "tiny"
    if not (PLACE / "installed").exists():
        print("the loopback server is missing: make loopback")
        return 2
    shutil.rmtree(HOME, ignore_errors=True)
    differences = end_to_end(HOME, size)
    print("\n".join(differences[:SHOWN]))
    print(f"open {HOME / 'bigquery' / 'site' / 'current' / 'index.html'}")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
