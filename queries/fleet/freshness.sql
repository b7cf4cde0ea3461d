-- How far the rows of each service reach in the period, in each table of facts.
-- grain: one row per table_name, service
SELECT
  'requests_hourly' AS table_name,
  service,
  TIMESTAMP_ADD(MAX(hour), INTERVAL 1 HOUR) AS complete_until
FROM requests_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
UNION ALL
SELECT
  'slo_minutes' AS table_name,
  service,
  TIMESTAMP_ADD(MAX(minute), INTERVAL 1 MINUTE) AS complete_until
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
UNION ALL
SELECT
  'errors_hourly' AS table_name,
  service,
  TIMESTAMP_ADD(MAX(hour), INTERVAL 1 HOUR) AS complete_until
FROM errors_hourly
WHERE
  hour >= @start
  AND hour < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
UNION ALL
SELECT
  'deployments' AS table_name,
  service,
  MAX(started_at) AS complete_until
FROM deployments
WHERE
  started_at >= @start
  AND started_at < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
UNION ALL
SELECT
  'incidents' AS table_name,
  service,
  MAX(started_at) AS complete_until
FROM incidents
WHERE
  started_at >= @start
  AND started_at < @end
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
GROUP BY service
