-- What an objective on an sli measures: the good and valid events of a minute.
-- grain: one row per service, minute
WITH minutes AS (
  SELECT
    service,
    minute,
    good_count,
    valid_count,
    0 AS uncertain_count
  FROM sli_events
  WHERE
    minute >= @start
    AND minute < @end
    AND service IN UNNEST(@services)
    AND sli = @sli
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
