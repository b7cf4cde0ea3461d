-- Requests and faults of each series and hour.
-- grain: one row per service, endpoint, region, version, hour
SELECT
  service,
  endpoint,
  region,
  version,
  hour,
  request_count,
  error_count
FROM requests_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
