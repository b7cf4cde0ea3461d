-- Errors of each service, endpoint, error and upstream over the whole days of the period.
-- grain: one row per service, endpoint, error, upstream, is_fault
SELECT
  service,
  endpoint,
  error,
  upstream,
  is_fault,
  SUM(error_count) AS error_count
FROM errors_daily
WHERE
  day >= @start
  AND day < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service, endpoint, error, upstream, is_fault
