-- Requests of each service, endpoint and minute, from a counter and a distribution of metrics.
-- grain: one row per minute, service, endpoint, region, version
--
-- On the axis of buckets a duration of s seconds stands at LN(s) / LN(2) * 16, and bucket b holds
-- what stands above b, up to b + 1.
WITH points AS (
  SELECT
    TIMESTAMP_TRUNC(started_at, MINUTE) AS minute,
    metric,
    (
      SELECT MAX(label.value)
      FROM UNNEST(labels) AS label
      WHERE label.key = @service_label
    ) AS service,
    (
      SELECT MAX(label.value)
      FROM UNNEST(labels) AS label
      WHERE label.key = @endpoint_label
    ) AS endpoint,
    (
      SELECT MAX(label.value)
      FROM UNNEST(labels) AS label
      WHERE label.key = @region_label
    ) AS region,
    (
      SELECT MAX(label.value)
      FROM UNNEST(labels) AS label
      WHERE label.key = @status_label
    ) AS status,
    counter_value,
    distribution_count,
    distribution_mean * distribution_count * @unit_s AS sum_s,
    explicit_bounds,
    linear_offset,
    linear_width,
    exponential_scale,
    growth_factor,
    finite_buckets,
    bucket_counts
  FROM raw
  WHERE metric IN (@count_metric, @latency_metric)
),

-- Of the load balancer a status is 503 or a class 500; 0 is what was dropped before it was served.
series AS (
  SELECT
    minute,
    metric,
    service,
    COALESCE(endpoint, '') AS endpoint,
    COALESCE(region, '') AS region,
    COALESCE(status LIKE '5%' OR status = '0', FALSE) AS is_fault,
    counter_value,
    distribution_count,
    sum_s,
    explicit_bounds,
    linear_offset,
    linear_width,
    exponential_scale,
    growth_factor,
    finite_buckets,
    bucket_counts
  FROM points
  WHERE service <> ''
),

counted AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    SUM(IF(metric = @count_metric, counter_value, 0)) AS counter_count,
    SUM(IF(metric = @count_metric AND is_fault, counter_value, 0)) AS error_count,
    SUM(IF(metric = @latency_metric AND NOT is_fault, distribution_count, 0)) AS timed_count,
    SUM(IF(metric = @latency_metric AND NOT is_fault, sum_s, NULL)) AS duration_sum_s
  FROM series
  GROUP BY minute, service, endpoint, region
),

bounded AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    -- The first bucket lies under the first bound, the last one over the last.
    CASE
      WHEN place = 1 THEN 0
      WHEN growth_factor IS NOT NULL
        THEN exponential_scale * POW(growth_factor, place - 2)
      WHEN linear_width IS NOT NULL THEN linear_offset + linear_width * (place - 2)
      ELSE explicit_bounds[SAFE_ORDINAL(place - 1)]
    END * @unit_s AS lower_s,
    CASE
      WHEN place = finite_buckets + 2 THEN NULL
      WHEN growth_factor IS NOT NULL
        THEN exponential_scale * POW(growth_factor, place - 1)
      WHEN linear_width IS NOT NULL THEN linear_offset + linear_width * (place - 1)
      ELSE explicit_bounds[SAFE_ORDINAL(place)]
    END * @unit_s AS upper_s,
    bucket_counts[SAFE_ORDINAL(place)] AS held_count
  FROM series
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, ARRAY_LENGTH(bucket_counts))) AS place
  WHERE
    metric = @latency_metric
    AND NOT is_fault
),

-- Nobody knows the shortest and the longest: the first and the last bucket are taken to span a
-- factor of 2, and so is one that begins at 0.
stretches AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    IF(
      COALESCE(upper_s, lower_s * 2) <= 0,
      -1024,
      LN(IF(lower_s > 0, lower_s, COALESCE(upper_s, lower_s * 2) / 2)) / LN(2) * 16
    ) AS begins_at,
    IF(
      COALESCE(upper_s, lower_s * 2) <= 0,
      -1023,
      LN(COALESCE(upper_s, lower_s * 2)) / LN(2) * 16
    ) AS ends_at,
    held_count
  FROM bounded
  WHERE held_count > 0
),

-- What a stretch holds is spread evenly; what is rounded is the running total.
spread AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    GREATEST(bound - 1, -1024) AS bucket,
    FLOOR(held_count * LEAST((bound - begins_at) / (ends_at - begins_at), 1) + 0.5)
    - FLOOR(held_count * GREATEST((bound - 1 - begins_at) / (ends_at - begins_at), 0) + 0.5)
      AS bucket_count
  FROM stretches
  CROSS JOIN
    UNNEST(GENERATE_ARRAY(
      CAST(LEAST(FLOOR(begins_at) + 1, CEIL(ends_at)) AS INT64),
      CAST(CEIL(ends_at) AS INT64)
    )) AS bound
),

buckets AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    bucket,
    CAST(SUM(bucket_count) AS INT64) AS bucket_count
  FROM spread
  GROUP BY minute, service, endpoint, region, bucket
),

histograms AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    SUM(bucket_count) AS held_count,
    ARRAY_AGG(STRUCT(bucket AS bucket, bucket_count AS count) ORDER BY bucket) AS latency
  FROM buckets
  WHERE bucket_count > 0
  GROUP BY minute, service, endpoint, region
)

SELECT
  counted.minute,
  counted.service,
  counted.endpoint,
  counted.region,
  '' AS version,
  -- The two metrics are written apart: whatever was timed was a request.
  GREATEST(
    counted.counter_count,
    counted.error_count + GREATEST(counted.timed_count, COALESCE(histograms.held_count, 0))
  ) AS request_count,
  counted.error_count,
  counted.duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  'approximate' AS quality,
  GREATEST(
    counted.counter_count,
    counted.error_count + GREATEST(counted.timed_count, COALESCE(histograms.held_count, 0))
  ) AS observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
    AND counted.endpoint = histograms.endpoint
    AND counted.region = histograms.region
