-- Errors of each series, error, upstream and hour.
-- grain: one row per service, endpoint, region, version, error, upstream, is_fault, hour
SELECT
  service,
  endpoint,
  region,
  version,
  error,
  upstream,
  is_fault,
  hour,
  error_count
FROM errors_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
