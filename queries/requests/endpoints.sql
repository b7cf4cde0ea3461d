-- Requests and faults of each endpoint over the whole days of the period.
-- grain: one row per service, endpoint
SELECT
  service,
  endpoint,
  SUM(request_count) AS request_count,
  SUM(error_count) AS error_count
FROM requests_daily
WHERE
  day >= @start
  AND day < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service, endpoint
