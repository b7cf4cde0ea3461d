-- Requests, faults and latency of each series and hour.
-- grain: one row per service, endpoint, region, version, hour
SELECT
  service,
  endpoint,
  region,
  version,
  hour,
  request_count,
  error_count,
  duration_sum_s,
  latency,
  quality
FROM requests_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
