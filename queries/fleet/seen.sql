-- Each service that sent telemetry, from when to when, and how many requests it counted.
-- grain: one row per service
SELECT
  service,
  MIN(hour) AS first_hour,
  MAX(hour) AS last_hour,
  SUM(request_count) AS request_count
FROM requests_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
