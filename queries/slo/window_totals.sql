-- Good, valid and uncertain events over the last minutes before the end, for each window length.
-- grain: one row per service, objective, definition, window_minutes
WITH windows AS (
  SELECT DISTINCT window_minutes
  FROM UNNEST(@window_minutes) AS window_minutes
),

-- Each minute goes to the shortest window that reaches back to it, so that it is read once.
rings AS (
  SELECT
    minute,
    MIN(windows.window_minutes) AS ring
  FROM
    UNNEST(
      GENERATE_TIMESTAMP_ARRAY(TIMESTAMP_TRUNC(@start, MINUTE), @end, INTERVAL 1 MINUTE)
    ) AS minute
  INNER JOIN windows
    ON minute >= TIMESTAMP_SUB(@end, INTERVAL windows.window_minutes MINUTE)
  WHERE minute < @end
  GROUP BY minute
),

ring_totals AS (
  SELECT
    slo_minutes.service,
    slo_minutes.objective,
    slo_minutes.definition,
    rings.ring,
    SUM(slo_minutes.good_count) AS good_count,
    SUM(slo_minutes.valid_count) AS valid_count,
    SUM(slo_minutes.uncertain_count) AS uncertain_count,
    COUNT(*) AS covered_minutes
  FROM slo_minutes
  INNER JOIN rings
    ON slo_minutes.minute = rings.minute
  WHERE
    slo_minutes.minute >= @start
    AND slo_minutes.minute < @end
    AND (ARRAY_LENGTH(@services) = 0 OR slo_minutes.service IN UNNEST(@services))
  GROUP BY slo_minutes.service, slo_minutes.objective, slo_minutes.definition, rings.ring
)

SELECT
  ring_totals.service,
  ring_totals.objective,
  ring_totals.definition,
  windows.window_minutes,
  SUM(ring_totals.good_count) AS good_count,
  SUM(ring_totals.valid_count) AS valid_count,
  SUM(ring_totals.uncertain_count) AS uncertain_count,
  SUM(ring_totals.covered_minutes) AS covered_minutes
FROM windows
INNER JOIN ring_totals
  ON windows.window_minutes >= ring_totals.ring
GROUP BY ring_totals.service, ring_totals.objective, ring_totals.definition, windows.window_minutes
