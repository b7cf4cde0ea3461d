-- Requests, faults and merged latency of each service over the whole days of the period.
-- grain: one row per service
WITH days AS (
  SELECT
    service,
    request_count,
    error_count,
    duration_sum_s,
    latency,
    quality
  FROM requests_daily
  WHERE
    day >= @start
    AND day < @end
    AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
),

totals AS (
  SELECT
    service,
    SUM(request_count) AS request_count,
    SUM(error_count) AS error_count,
    IF(
      LOGICAL_OR(duration_sum_s IS NULL AND request_count > error_count),
      NULL,
      SUM(duration_sum_s)
    ) AS duration_sum_s,
    CASE
      WHEN LOGICAL_OR(quality = 'approximate') THEN 'approximate'
      WHEN LOGICAL_OR(quality = 'sampled') THEN 'sampled'
      ELSE 'exact'
    END AS quality
  FROM days
  GROUP BY service
),

buckets AS (
  SELECT
    days.service,
    entry.bucket,
    SUM(entry.count) AS count
  FROM days
  CROSS JOIN UNNEST(days.latency) AS entry
  GROUP BY days.service, entry.bucket
),

distributions AS (
  SELECT
    service,
    ARRAY_AGG(STRUCT(bucket AS bucket, count AS count) ORDER BY bucket) AS latency
  FROM buckets
  GROUP BY service
)

SELECT
  totals.service,
  totals.request_count,
  totals.error_count,
  totals.duration_sum_s,
  distributions.latency,
  totals.quality
FROM totals
LEFT JOIN distributions
  ON totals.service = distributions.service
