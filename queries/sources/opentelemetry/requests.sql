-- Requests of each service, route and minute, from http.server.request.duration.
-- grain: one row per minute, service, endpoint, region, version
--
-- On the axis of buckets a duration of s seconds stands at LN(s) / LN(2) * 16, and bucket b holds
-- what stands above b, up to b + 1. An exponential histogram of scale 4 has the same buckets.
WITH points AS (
  SELECT
    TIMESTAMP_TRUNC(started_at, MINUTE) AS minute,
    service,
    TRIM(CONCAT(COALESCE(method, ''), ' ', COALESCE(route, ''))) AS endpoint,
    COALESCE(region, '') AS region,
    COALESCE(version, '') AS version,
    -- A request that ended without a status and with an error is an exception.
    COALESCE(NULLIF(status, 0) >= 500, error_type <> '', FALSE) AS is_fault,
    IF(
      REGEXP_CONTAINS(UPPER(temporality), '(^|_)DELTA$|^1$'),
      point_count,
      ERROR(
        CONCAT(
          'points of http.server.request.duration must have delta temporality, not ',
          COALESCE(temporality, 'none'),
          '; set it in the SDK, or convert with the collector (cumulativetodelta)'
        )
      )
    ) AS point_count,
    point_sum_s,
    min_s,
    max_s,
    explicit_bounds_s,
    bucket_counts,
    scale,
    COALESCE(zero_count, 0) AS zero_count,
    positive_offset,
    positive_counts
  FROM raw
  WHERE
    metric = 'http.server.request.duration'
    AND service <> ''
),

counted AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    SUM(point_count) AS request_count,
    SUM(IF(is_fault, point_count, 0)) AS error_count,
    -- The sum is unknown as soon as one of its parts is.
    IF(
      COUNTIF(NOT is_fault AND point_count > 0 AND point_sum_s IS NULL) > 0,
      NULL,
      SUM(IF(is_fault OR point_count = 0, 0, point_sum_s))
    ) AS duration_sum_s,
    -- Of a scale under 4, or of fixed bounds, the buckets are coarser than ours.
    IF(LOGICAL_AND(point_count = 0 OR COALESCE(scale, -1) >= 4), 'exact', 'approximate') AS quality
  FROM points
  GROUP BY minute, service, endpoint, region, version
),

bounded AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    min_s,
    max_s,
    COALESCE(explicit_bounds_s[SAFE_ORDINAL(place - 1)], 0) AS lower_s,
    explicit_bounds_s[SAFE_ORDINAL(place)] AS upper_s,
    bucket_counts[SAFE_ORDINAL(place)] AS held_count
  FROM points
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, ARRAY_LENGTH(bucket_counts))) AS place
  WHERE
    NOT is_fault
    AND ARRAY_LENGTH(explicit_bounds_s) > 0
),

-- The shortest and the longest duration end the outer buckets where they are known; else the first
-- bucket is taken to span a factor of 2, and the last one too.
ended AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    min_s,
    lower_s,
    LEAST(
      COALESCE(upper_s, max_s, lower_s * 2),
      COALESCE(max_s, upper_s, lower_s * 2)
    ) AS up_to_s,
    held_count
  FROM bounded
  WHERE held_count > 0
),

-- One row per stretch of the axis that holds anything: of fixed bounds, then of an exponential
-- histogram, whose buckets are 2 ** (4 - scale) wide, then of the durations that were 0.
stretches AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    LN(GREATEST(
      lower_s,
      IF(COALESCE(min_s, lower_s) > 0, COALESCE(min_s, lower_s), up_to_s / 2)
    )) / LN(2) * 16 AS begins_at,
    LN(up_to_s) / LN(2) * 16 AS ends_at,
    held_count
  FROM ended
  WHERE up_to_s > 0
  UNION ALL
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    (positive_offset + place - 1) * POW(2, 4 - scale) AS begins_at,
    (positive_offset + place) * POW(2, 4 - scale) AS ends_at,
    positive_counts[SAFE_ORDINAL(place)] AS held_count
  FROM points
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, ARRAY_LENGTH(positive_counts))) AS place
  WHERE
    NOT is_fault
    AND positive_counts[SAFE_ORDINAL(place)] > 0
  UNION ALL
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    -1024.0 AS begins_at,
    -1023.0 AS ends_at,
    zero_count AS held_count
  FROM points
  WHERE
    NOT is_fault
    AND zero_count > 0
  UNION ALL
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    -1024.0 AS begins_at,
    -1023.0 AS ends_at,
    held_count
  FROM ended
  WHERE up_to_s <= 0
),

-- What a stretch holds is spread evenly; what is rounded is the running total.
spread AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    GREATEST(bound - 1, -1024) AS bucket,
    FLOOR(
      held_count * COALESCE(LEAST((bound - begins_at) / NULLIF(ends_at - begins_at, 0), 1), 1)
      + 0.5
    )
    - FLOOR(
      held_count
      * COALESCE(GREATEST((bound - 1 - begins_at) / NULLIF(ends_at - begins_at, 0), 0), 0)
      + 0.5
    ) AS bucket_count
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
    version,
    bucket,
    CAST(SUM(bucket_count) AS INT64) AS bucket_count
  FROM spread
  GROUP BY minute, service, endpoint, region, version, bucket
),

histograms AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    ARRAY_AGG(STRUCT(bucket AS bucket, bucket_count AS count) ORDER BY bucket) AS latency
  FROM buckets
  WHERE bucket_count > 0
  GROUP BY minute, service, endpoint, region, version
)

SELECT
  counted.minute,
  counted.service,
  counted.endpoint,
  counted.region,
  counted.version,
  counted.request_count,
  counted.error_count,
  counted.duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  counted.quality,
  counted.request_count AS observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
    AND counted.endpoint = histograms.endpoint
    AND counted.region = histograms.region
    AND counted.version = histograms.version
