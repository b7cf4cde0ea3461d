-- Requests, faults and merged latency of each endpoint over the whole days of the period.
-- grain: one row per service, endpoint
WITH days AS (
  SELECT
    service,
    endpoint,
    request_count,
    error_count,
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
    endpoint,
    SUM(request_count) AS request_count,
    SUM(error_count) AS error_count,
    CASE
      WHEN LOGICAL_OR(quality = 'approximate') THEN 'approximate'
      WHEN LOGICAL_OR(quality = 'sampled') THEN 'sampled'
      ELSE 'exact'
    END AS quality
  FROM days
  GROUP BY service, endpoint
),

buckets AS (
  SELECT
    days.service,
    days.endpoint,
    entry.bucket,
    SUM(entry.count) AS count
  FROM days
  CROSS JOIN UNNEST(days.latency) AS entry
  GROUP BY days.service, days.endpoint, entry.bucket
),

distributions AS (
  SELECT
    service,
    endpoint,
    ARRAY_AGG(STRUCT(bucket AS bucket, count AS count) ORDER BY bucket) AS latency
  FROM buckets
  GROUP BY service, endpoint
)

SELECT
  totals.service,
  totals.endpoint,
  totals.request_count,
  totals.error_count,
  distributions.latency,
  totals.quality
FROM totals
LEFT JOIN distributions
  ON
    totals.service = distributions.service
    AND totals.endpoint = distributions.endpoint
