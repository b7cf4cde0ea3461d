-- Errors of each UTC day, series, error and upstream, summed from hours.
-- grain: one row per day, service, endpoint, region, version, error, upstream, is_fault
SELECT
  TIMESTAMP_TRUNC(hour, DAY) AS day,
  service,
  endpoint,
  region,
  version,
  error,
  upstream,
  SUM(error_count) AS error_count,
  is_fault
FROM errors_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY day, service, endpoint, region, version, error, upstream, is_fault
