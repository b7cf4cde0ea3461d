-- Good, valid and uncertain events and covered minutes of each service, objective and UTC day.
-- grain: one row per service, objective, definition, day
SELECT
  service,
  objective,
  definition,
  TIMESTAMP_TRUNC(minute, DAY) AS day,
  SUM(good_count) AS good_count,
  SUM(valid_count) AS valid_count,
  SUM(uncertain_count) AS uncertain_count,
  COUNT(*) AS covered_minutes
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service, objective, definition, day
