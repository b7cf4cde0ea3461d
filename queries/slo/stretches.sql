-- Good, valid and uncertain events and covered minutes of services over stretches of their own.
-- grain: one row per service, objective, definition, stretch
WITH stretches AS (
  SELECT
    stretch,
    @stretch_services[ORDINAL(stretch + 1)] AS service,
    @stretch_starts[ORDINAL(stretch + 1)] AS stretch_start,
    @stretch_ends[ORDINAL(stretch + 1)] AS stretch_end
  FROM UNNEST(GENERATE_ARRAY(0, ARRAY_LENGTH(@stretch_services) - 1)) AS stretch
)

SELECT
  slo_minutes.service,
  slo_minutes.objective,
  slo_minutes.definition,
  stretches.stretch,
  SUM(slo_minutes.good_count) AS good_count,
  SUM(slo_minutes.valid_count) AS valid_count,
  SUM(slo_minutes.uncertain_count) AS uncertain_count,
  COUNT(*) AS covered_minutes
FROM slo_minutes
INNER JOIN stretches
  ON
    slo_minutes.service = stretches.service
    AND slo_minutes.minute >= stretches.stretch_start
    AND slo_minutes.minute < stretches.stretch_end
WHERE
  slo_minutes.minute >= @start
  AND slo_minutes.minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR slo_minutes.service IN UNNEST(@services))
GROUP BY slo_minutes.service, slo_minutes.objective, slo_minutes.definition, stretches.stretch
