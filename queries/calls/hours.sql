-- Calls of each service to each dependency, region and hour, as the caller saw them.
-- grain: one row per service, upstream, region, hour
SELECT
  service,
  upstream,
  region,
  hour,
  call_count,
  error_count,
  retry_count,
  duration_sum_s,
  latency
FROM calls_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
