"""A stored procedure that rolls up: plain GoogleSQL for whoever schedules queries in BigQuery.

It keeps no notes: each call rolls up every minute of its last days again. Not knowing which rows
were loaded directly, it lets the fuller side of a service's hour stand, so that hours whose minutes
are kept in part only are not lost; what objectives count is put in row by row. Days that were
restated to less, and sources in steps coarser than a minute, are for ``fleetslo warehouse rollup``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fleetslo.warehouse import sums
from fleetslo.warehouse.bigquery import statements
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.measures import Measure, grouped
from fleetslo.warehouse.queries import read_query

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

NAME = "fleetslo_rollup"

_PROCEDURE = """\
CREATE OR REPLACE PROCEDURE `{dataset}`.{name}(until TIMESTAMP, days INT64)
OPTIONS (strict_mode = FALSE)
BEGIN
  -- Rolls up the days before `until`, so many of them; call it from a scheduled query:
  -- CALL `{dataset}`.{name}(TIMESTAMP_ADD(TIMESTAMP_TRUNC(@run_time, DAY), INTERVAL 1 DAY), 3)
  DECLARE bound_start TIMESTAMP DEFAULT TIMESTAMP_SUB(until, INTERVAL days DAY);
  DECLARE bound_end TIMESTAMP DEFAULT until;
  SET @@dataset_project_id = '{project}';
  SET @@dataset_id = '{bare}';

{body}
END"""
_UPSERT = """\
MERGE slo_minutes AS stored
USING (
WITH counted AS (
{counts}
),

wanted AS (
  SELECT *
  FROM UNNEST({triples})
)

SELECT
  wanted.service,
  wanted.objective,
  wanted.definition,
  counted.minute,
  counted.good_count,
  counted.valid_count,
  counted.uncertain_count
FROM counted
INNER JOIN wanted
  ON counted.service = wanted.service
) AS rolled
ON
  stored.minute >= @start
  AND stored.minute < @end
  AND stored.minute = rolled.minute
  AND stored.service = rolled.service
  AND stored.objective = rolled.objective
  AND stored.definition = rolled.definition
WHEN MATCHED THEN
  UPDATE SET
    good_count = rolled.good_count,
    valid_count = rolled.valid_count,
    uncertain_count = rolled.uncertain_count
WHEN NOT MATCHED BY TARGET THEN
  INSERT (service, objective, definition, minute, good_count, valid_count, uncertain_count)
  VALUES (service, objective, definition, minute, good_count, valid_count, uncertain_count)"""
_PARAMETER = re.compile(r"@(\w+)")
_BOUNDS = {"start": "bound_start", "end": "bound_end"}


def procedure(dataset: str, measures: Sequence[Measure]) -> str:
    """Return the statement that makes the procedure in a dataset.

    Args:
        dataset: ``project.dataset``.
        measures: what the objectives in force count; the procedure is made again when they change.
    """
    body = ";\n\n".join(bodies(measures)) + ";"
    project, _, bare = dataset.rpartition(".")
    return _PROCEDURE.format(dataset=dataset, project=project, name=NAME, bare=bare, body=body)


def bodies(measures: Sequence[Measure]) -> list[str]:
    """Return the statements of the procedure, whose days lie from bound_start to bound_end."""
    done = []
    for one in sums.SUMS:
        fresh = read_query(f"rollups/{one.target}").sql
        statement = statements.sum_statement(one, contract(one.target), fresh, ours=False)
        done.append(_bound(statement, {"services": _literal([])}))
    for selector, triples in grouped(measures):
        query = read_query(selector.query)
        given = {"step_minutes": 1, "services": sorted({triple[0] for triple in triples})}
        values = {name: _literal(value) for name, value in {**given, **selector.parameters}.items()}
        structs = [
            f"STRUCT({_literal(service)} AS service, {_literal(objective)} AS objective, "
            f"{_literal(definition)} AS definition)"
            for service, objective, definition in sorted(set(triples))
        ]
        listed = "[\n    " + ",\n    ".join(structs) + "\n  ]"
        # What is put in last is not looked at for parameters: a name may hold an @.
        statement = _bound(_UPSERT.replace("{counts}", query.sql.strip()), values)
        done.append(statement.replace("{triples}", listed))
    return done


def _bound(sql: str, values: Mapping[str, str]) -> str:
    known = {**_BOUNDS, **values}
    return _PARAMETER.sub(lambda found: known[found[1]], sql)


def _literal(value: Any) -> str:
    """Return a value as GoogleSQL writes it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]" if value else "CAST([] AS ARRAY<STRING>)"
    return repr(value)


def install(warehouse: "BigQueryWarehouse", measures: Sequence[Measure]) -> None:
    """Make the procedure in the dataset, or make it anew."""
    warehouse.asker.do(procedure(warehouse.dataset_id, measures), [], "procedure")
