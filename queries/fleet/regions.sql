-- Each region that sent telemetry, and how many requests it counted.
-- grain: one row per region
SELECT
  region,
  SUM(request_count) AS request_count
FROM requests_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY region
