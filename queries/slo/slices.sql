-- Good, valid and uncertain events and covered minutes of each service, objective and time slice.
-- grain: one row per service, objective, definition, slice
SELECT
  service,
  objective,
  definition,
  DIV((UNIX_SECONDS(minute) - UNIX_SECONDS(@start)), (60 * @slice_minutes)) AS slice,
  SUM(good_count) AS good_count,
  SUM(valid_count) AS valid_count,
  SUM(uncertain_count) AS uncertain_count,
  COUNT(*) AS covered_minutes
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
  AND (ARRAY_LENGTH(@objectives) = 0 OR objective IN UNNEST(@objectives))
GROUP BY service, objective, definition, slice
