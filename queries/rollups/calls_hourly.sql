-- Calls of each hour, caller, upstream and region, summed from minutes.
-- grain: one row per hour, service, upstream, region
WITH minutes AS (
  SELECT
    TIMESTAMP_TRUNC(minute, HOUR) AS hour,
    service,
    upstream,
    region,
    call_count,
    error_count,
    retry_count,
    duration_sum_s,
    latency
  FROM calls
  WHERE
    minute >= @start
    AND minute < @end
    AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
),

totals AS (
  SELECT
    hour,
    service,
    upstream,
    region,
    SUM(call_count) AS call_count,
    SUM(error_count) AS error_count,
    SUM(retry_count) AS retry_count,
    IF(
      LOGICAL_OR(duration_sum_s IS NULL AND call_count > error_count),
      NULL,
      SUM(duration_sum_s)
    ) AS duration_sum_s
  FROM minutes
  GROUP BY hour, service, upstream, region
),

buckets AS (
  SELECT
    minutes.hour,
    minutes.service,
    minutes.upstream,
    minutes.region,
    entry.bucket,
    SUM(entry.count) AS count
  FROM minutes
  CROSS JOIN UNNEST(minutes.latency) AS entry
  GROUP BY
    minutes.hour,
    minutes.service,
    minutes.upstream,
    minutes.region,
    entry.bucket
),

distributions AS (
  SELECT
    hour,
    service,
    upstream,
    region,
    ARRAY_AGG(STRUCT(bucket AS bucket, count AS count) ORDER BY bucket) AS latency
  FROM buckets
  GROUP BY hour, service, upstream, region
)

SELECT
  totals.hour,
  totals.service,
  totals.upstream,
  totals.region,
  totals.call_count,
  totals.error_count,
  totals.retry_count,
  totals.duration_sum_s,
  distributions.latency
FROM totals
LEFT JOIN distributions
  ON
    totals.hour = distributions.hour
    AND totals.service = distributions.service
    AND totals.upstream = distributions.upstream
    AND totals.region = distributions.region
