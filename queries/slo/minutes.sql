-- Good, valid and uncertain events of each service, objective and covered minute.
-- grain: one row per service, objective, definition, minute
SELECT
  service,
  objective,
  definition,
  minute,
  good_count,
  valid_count,
  uncertain_count
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
