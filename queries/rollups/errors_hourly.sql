-- Errors of each hour, series, error and upstream, summed from minutes.
-- grain: one row per hour, service, endpoint, region, version, error, upstream, is_fault
SELECT
  TIMESTAMP_TRUNC(minute, HOUR) AS hour,
  service,
  endpoint,
  region,
  version,
  error,
  upstream,
  SUM(error_count) AS error_count,
  is_fault
FROM errors
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY hour, service, endpoint, region, version, error, upstream, is_fault
