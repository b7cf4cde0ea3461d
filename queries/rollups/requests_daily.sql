-- Requests of each UTC day and series, summed from hours.
-- grain: one row per day, service, endpoint, region, version
WITH hours AS (
  SELECT
    TIMESTAMP_TRUNC(hour, DAY) AS day,
    service,
    endpoint,
    region,
    version,
    request_count,
    error_count,
    observed_count,
    duration_sum_s,
    latency,
    quality
  FROM requests_hourly
  WHERE
    hour >= @start
    AND hour < @end
    AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
),

totals AS (
  SELECT
    day,
    service,
    endpoint,
    region,
    version,
    SUM(request_count) AS request_count,
    SUM(error_count) AS error_count,
    SUM(observed_count) AS observed_count,
    CASE
      WHEN LOGICAL_OR(quality = 'approximate') THEN 'approximate'
      WHEN LOGICAL_OR(quality = 'sampled') THEN 'sampled'
      ELSE 'exact'
    END AS quality,
    IF(
      LOGICAL_OR(duration_sum_s IS NULL AND request_count > error_count),
      NULL,
      SUM(duration_sum_s)
    ) AS duration_sum_s
  FROM hours
  GROUP BY day, service, endpoint, region, version
),

buckets AS (
  SELECT
    hours.day,
    hours.service,
    hours.endpoint,
    hours.region,
    hours.version,
    entry.bucket,
    SUM(entry.count) AS count
  FROM hours
  CROSS JOIN UNNEST(hours.latency) AS entry
  GROUP BY
    hours.day,
    hours.service,
    hours.endpoint,
    hours.region,
    hours.version,
    entry.bucket
),

distributions AS (
  SELECT
    day,
    service,
    endpoint,
    region,
    version,
    ARRAY_AGG(STRUCT(bucket AS bucket, count AS count) ORDER BY bucket) AS latency
  FROM buckets
  GROUP BY day, service, endpoint, region, version
)

SELECT
  totals.day,
  totals.service,
  totals.endpoint,
  totals.region,
  totals.version,
  totals.request_count,
  totals.error_count,
  totals.duration_sum_s,
  distributions.latency,
  totals.quality,
  totals.observed_count
FROM totals
LEFT JOIN distributions
  ON
    totals.day = distributions.day
    AND totals.service = distributions.service
    AND totals.endpoint = distributions.endpoint
    AND totals.region = distributions.region
    AND totals.version = distributions.version
