"""Statements that put the rows of some days in the place of others, all at once.

Each is one MERGE, so readers meet all of the old days or all of the new ones. Counting is left to
the text under ``queries/rollups/``, which stands in it as it is written.
"""

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.sums import Sum

_REPLACE = """\
MERGE {table} AS stored
USING (
WITH rolled_rows AS (
{rows}
),

gone AS (
  SELECT {old_columns}
  FROM {table} AS old
  LEFT JOIN rolled_rows
    ON {same_as_old}
  WHERE
    old.{time} >= @start
    AND old.{time} < @end
    AND rolled_rows.service IS NULL
)

SELECT
  {columns},
  FALSE AS is_gone
FROM rolled_rows
UNION ALL
SELECT
  {columns},
  TRUE AS is_gone
FROM gone
) AS rolled
ON
  stored.{time} >= @start
  AND stored.{time} < @end
  AND {same_as_stored}
WHEN MATCHED AND rolled.is_gone THEN
  DELETE
WHEN MATCHED THEN
  UPDATE SET {values}
WHEN NOT MATCHED THEN
  INSERT ({columns})
  VALUES ({columns})"""

_STANDING = """\
standing AS (
  SELECT {columns}
  FROM {table}
  WHERE
    {time} >= @start
    AND {time} < @end
)"""

_OURS = """\
WITH fresh AS (
{fresh}
),

{standing},

rolled_services AS (
  SELECT DISTINCT
    service,
    TIMESTAMP_TRUNC({time}, DAY) AS day
  FROM fresh
)

SELECT {columns}
FROM fresh
UNION ALL
SELECT {standing_columns}
FROM standing
LEFT JOIN rolled_services
  ON
    standing.service = rolled_services.service
    AND TIMESTAMP_TRUNC(standing.{time}, DAY) = rolled_services.day
WHERE rolled_services.service IS NULL"""

_FULLER = """\
WITH fresh AS (
{fresh}
),

{standing},

fresh_totals AS (
  SELECT
    service,
    {time},
    SUM({count}) AS total
  FROM fresh
  GROUP BY service, {time}
),

standing_totals AS (
  SELECT
    service,
    {time},
    SUM({count}) AS total
  FROM standing
  GROUP BY service, {time}
),

fuller AS (
  SELECT
    standing_totals.service,
    standing_totals.{time}
  FROM standing_totals
  LEFT JOIN fresh_totals
    ON
      standing_totals.service = fresh_totals.service
      AND standing_totals.{time} = fresh_totals.{time}
  WHERE
    fresh_totals.total IS NULL
    OR standing_totals.total > fresh_totals.total
)

SELECT {fresh_columns}
FROM fresh
LEFT JOIN fuller
  ON
    fresh.service = fuller.service
    AND fresh.{time} = fuller.{time}
WHERE fuller.service IS NULL
UNION ALL
SELECT {standing_columns}
FROM standing
INNER JOIN fuller
  ON
    standing.service = fuller.service
    AND standing.{time} = fuller.{time}"""

_KEPT = """\
WITH fresh_totals AS (
  SELECT
    service,
    TIMESTAMP_TRUNC({source_time}, {unit}) AS slot,
    SUM({count}) AS total
  FROM {source}
  WHERE
    {source_time} >= @start
    AND {source_time} < @end
  GROUP BY service, slot
),

standing_totals AS (
  SELECT
    service,
    {time} AS slot,
    SUM({count}) AS total,
    COUNT(*) AS row_count
  FROM {table}
  WHERE
    {time} >= @start
    AND {time} < @end
  GROUP BY service, slot
)

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%d', standing_totals.slot) AS day,
  SUM(standing_totals.row_count) AS kept_count
FROM standing_totals
LEFT JOIN fresh_totals
  ON
    standing_totals.service = fresh_totals.service
    AND standing_totals.slot = fresh_totals.slot
WHERE
  fresh_totals.total IS NULL
  OR standing_totals.total > fresh_totals.total
GROUP BY day"""

_TRIPLES = """\
{name} AS (
  SELECT
    service,
    objective,
    definition
  FROM UNNEST(@triple_services) AS service WITH OFFSET AS place
  INNER JOIN UNNEST(@objectives) AS objective WITH OFFSET AS objective_place
    ON place = objective_place
  INNER JOIN UNNEST(@definitions) AS definition WITH OFFSET AS definition_place
    ON place = definition_place
)"""

_SLO = """\
WITH {standing},

{in_force},

counted AS (
  SELECT DISTINCT
    service,
    objective,
    definition,
    TIMESTAMP_TRUNC(minute, {same}) AS slot
  FROM {fresh}
)

SELECT {columns}
FROM {fresh}
UNION ALL
SELECT {standing_columns}
FROM standing
INNER JOIN in_force
  ON
    standing.service = in_force.service
    AND standing.objective = in_force.objective
    AND standing.definition = in_force.definition
LEFT JOIN counted
  ON
    standing.service = counted.service
    AND standing.objective = counted.objective
    AND standing.definition = counted.definition
    AND TIMESTAMP_TRUNC(standing.minute, {same}) = counted.slot
WHERE counted.service IS NULL"""


def triples(name: str) -> str:
    """Return a CTE of services, objectives and definitions, from parameters of equal length."""
    return _TRIPLES.format(name=name)


def _columns(contract: Contract, of: str = "") -> str:
    return ", ".join(f"{of}{'.' if of else ''}{name}" for name in contract.by_name)


def _replaced(contract: Contract, rows: str) -> str:
    values = [name for name in contract.by_name if name not in contract.grain]
    return _REPLACE.format(
        table=contract.table,
        rows=rows,
        time=contract.partition,
        same_as_old=_same(contract, "old", "rolled_rows"),
        same_as_stored=_same(contract, "stored", "rolled"),
        values=", ".join(f"{name} = rolled.{name}" for name in values),
        columns=_columns(contract),
        old_columns=_columns(contract, "old"),
    )


def _same(contract: Contract, one: str, other: str) -> str:
    """Return the condition that two rows have the same grain; null equals null."""
    nullable = {column.name for column in contract.columns if column.nullable}
    return " AND ".join(
        f"{one}.{name} {'IS NOT DISTINCT FROM' if name in nullable else '='} {other}.{name}"
        for name in contract.grain
    )


def _standing(contract: Contract) -> str:
    return _STANDING.format(
        columns=_columns(contract), table=contract.table, time=contract.partition
    )


def sum_statement(of: Sum, contract: Contract, fresh: str, *, ours: bool) -> str:
    """Return the statement that rolls days up; see ``sums.combined`` for which rows stand.

    Args:
        of: what is summed.
        contract: the derived table's.
        fresh: the SQL that sums.
        ours: whether all rows that stand were rolled up before.
    """
    rows = (_OURS if ours else _FULLER).format(
        fresh=fresh.strip(),
        standing=_standing(contract),
        time=of.time,
        count=of.count,
        columns=_columns(contract),
        fresh_columns=_columns(contract, "fresh"),
        standing_columns=_columns(contract, "standing"),
    )
    return _replaced(contract, rows)


def kept_statement(of: Sum, source_time: str) -> str:
    """Return SQL that counts, by day, the standing rows that stay since they are fuller."""
    return _KEPT.format(
        source_time=source_time,
        unit=of.time.upper(),
        count=of.count,
        source=of.source,
        time=of.time,
        table=of.target,
    )


def slo_statement(contract: Contract, fresh: str, *, ours: bool) -> str:
    """Return the statement that puts counted minutes into days; see ``slo_minutes.combined``.

    Args:
        contract: that of ``slo_minutes``.
        fresh: the table with what was counted.
        ours: whether all rows that stand were rolled up before.
    """
    rows = _SLO.format(
        standing=_standing(contract),
        in_force=triples("in_force"),
        fresh=fresh,
        same="DAY" if ours else "MINUTE",
        columns=_columns(contract),
        standing_columns=_columns(contract, "standing"),
    )
    return _replaced(contract, rows)
