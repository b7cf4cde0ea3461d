-- Requests, faults and latency of each series and minute.
-- grain: one row per service, endpoint, region, version, minute
SELECT
  service,
  endpoint,
  region,
  version,
  minute,
  request_count,
  error_count,
  duration_sum_s,
  latency,
  quality
FROM requests
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
