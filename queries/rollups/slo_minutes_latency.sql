-- What an objective on latency measures: the requests of a minute, those certainly on the good side
-- of the threshold, and those that may have been.
-- grain: one row per service, minute
WITH series AS (
  SELECT
    service,
    minute,
    IF(@requests = 'all', request_count, request_count - error_count) AS valid_count,
    request_count - error_count AS success_count,
    quality,
    COALESCE(
      (
        SELECT SUM(entry.count)
        FROM UNNEST(latency) AS entry
      ),
      0
    ) AS recorded_count,
    COALESCE(
      (
        SELECT SUM(entry.count)
        FROM UNNEST(latency) AS entry
        WHERE entry.bucket <= @fast_bucket
      ),
      0
    ) AS fast_count,
    COALESCE(
      (
        SELECT SUM(entry.count)
        FROM UNNEST(latency) AS entry
        WHERE entry.bucket <= @cut_bucket
      ),
      0
    ) AS reached_count,
    (@endpoints = '' OR REGEXP_CONTAINS(endpoint, @endpoints))
    AND (@regions = '' OR REGEXP_CONTAINS(region, @regions))
    AND (@versions = '' OR REGEXP_CONTAINS(version, @versions)) AS is_measured
  FROM requests
  WHERE
    minute >= @start
    AND minute < @end
    AND service IN UNNEST(@services)
),

-- Buckets up to fast_bucket lie wholly on the fast side; those over cut_bucket on the slow one.
-- The buckets of an approximate row are a guess: unless all lie on one side, none of them counts.
certainties AS (
  SELECT
    service,
    minute,
    valid_count,
    success_count,
    IF(
      quality = 'approximate' AND fast_count < recorded_count AND reached_count > 0,
      0,
      fast_count
    ) AS certainly_fast_count,
    IF(
      quality = 'approximate' AND fast_count < recorded_count AND reached_count > 0,
      0,
      recorded_count - reached_count
    ) AS certainly_slow_count,
    is_measured
  FROM series
),

minutes AS (
  SELECT
    service,
    minute,
    SUM(
      IF(is_measured, IF(@slow_is_good, certainly_slow_count, certainly_fast_count), 0)
    ) AS good_count,
    SUM(IF(is_measured, valid_count, 0)) AS valid_count,
    SUM(
      IF(is_measured, success_count - certainly_fast_count - certainly_slow_count, 0)
    ) AS uncertain_count
  FROM certainties
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
