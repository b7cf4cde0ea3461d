-- What an objective on faults measures: all requests of a minute, and those that were no faults.
-- grain: one row per service, minute
WITH series AS (
  SELECT
    service,
    minute,
    request_count,
    error_count,
    (@endpoints = '' OR REGEXP_CONTAINS(endpoint, @endpoints))
    AND (@regions = '' OR REGEXP_CONTAINS(region, @regions))
    AND (@versions = '' OR REGEXP_CONTAINS(version, @versions)) AS is_measured
  FROM requests
  WHERE
    minute >= @start
    AND minute < @end
    AND service IN UNNEST(@services)
),

minutes AS (
  SELECT
    service,
    minute,
    SUM(IF(is_measured, request_count - error_count, 0)) AS good_count,
    SUM(IF(is_measured, request_count, 0)) AS valid_count,
    0 AS uncertain_count
  FROM series
  GROUP BY service, minute
),

steps AS (
  SELECT
    minutes.service,
    TIMESTAMP_ADD(minutes.minute, INTERVAL minutes_later MINUTE) AS covered_minute,
    IF(minutes_later = 0, minutes.good_count, 0) AS good_count,
    IF(minutes_later = 0, minutes.valid_count, 0) AS valid_count,
    IF(minutes_later = 0, minutes.uncertain_count, 0) AS uncertain_count
  FROM minutes
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, @step_minutes - 1)) AS minutes_later
)

SELECT
  service,
  covered_minute AS minute,
  SUM(good_count) AS good_count,
  SUM(valid_count) AS valid_count,
  SUM(uncertain_count) AS uncertain_count
FROM steps
WHERE covered_minute < @end
GROUP BY service, covered_minute
