-- Requests of each service, operation and minute, their histogram rebuilt from bounded counts.
-- grain: one row per minute, service, endpoint, region, version
--
-- An axis on which every latency bucket is 1 wide makes the rest short: a duration of s seconds
-- stands at LN(s) / LN(2) * 16, and bucket b holds what stands above b, up to b + 1.
WITH counted AS (
  SELECT
    TIMESTAMP_SECONDS(minute_unix) AS minute,
    service,
    operation AS endpoint,
    SUM(`count`) AS request_count,
    SUM(sum_us) / 1e6 AS duration_sum_s,
    MAX(max_us) / 1e6 AS max_s,
    SUM(le_1ms) AS le_1ms,
    SUM(le_2ms) AS le_2ms,
    SUM(le_5ms) AS le_5ms,
    SUM(le_10ms) AS le_10ms,
    SUM(le_25ms) AS le_25ms,
    SUM(le_50ms) AS le_50ms,
    SUM(le_100ms) AS le_100ms,
    SUM(le_250ms) AS le_250ms,
    SUM(le_500ms) AS le_500ms,
    SUM(le_1000ms) AS le_1000ms,
    SUM(le_2500ms) AS le_2500ms,
    SUM(le_5000ms) AS le_5000ms,
    SUM(le_10000ms) AS le_10000ms,
    SUM(le_inf) AS le_inf
  FROM raw
  WHERE
    span_kind = 'child'
    AND (ARRAY_LENGTH(@days) = 0 OR day IN UNNEST(@days))
  GROUP BY minute, service, endpoint
),

-- One row per stretch between two bounds that holds anything. The longest duration is known and
-- ends the last one; nobody knows the shortest, and the first is taken to span a factor of 2.
stretches AS (
  SELECT
    minute,
    service,
    endpoint,
    LN(stretch.above_s) / LN(2) * 16 AS begins_at,
    LN(LEAST(stretch.up_to_s, max_s)) / LN(2) * 16 AS ends_at,
    stretch.held_count,
    SUM(stretch.held_count)
      OVER (PARTITION BY minute, service, endpoint ORDER BY stretch.up_to_s)
    - stretch.held_count AS earlier_count
  FROM counted
  CROSS JOIN
    UNNEST([
      STRUCT(LEAST(0.001, max_s) / 2 AS above_s, 0.001 AS up_to_s, le_1ms AS held_count),
      STRUCT(0.001 AS above_s, 0.002 AS up_to_s, le_2ms AS held_count),
      STRUCT(0.002 AS above_s, 0.005 AS up_to_s, le_5ms AS held_count),
      STRUCT(0.005 AS above_s, 0.01 AS up_to_s, le_10ms AS held_count),
      STRUCT(0.01 AS above_s, 0.025 AS up_to_s, le_25ms AS held_count),
      STRUCT(0.025 AS above_s, 0.05 AS up_to_s, le_50ms AS held_count),
      STRUCT(0.05 AS above_s, 0.1 AS up_to_s, le_100ms AS held_count),
      STRUCT(0.1 AS above_s, 0.25 AS up_to_s, le_250ms AS held_count),
      STRUCT(0.25 AS above_s, 0.5 AS up_to_s, le_500ms AS held_count),
      STRUCT(0.5 AS above_s, 1.0 AS up_to_s, le_1000ms AS held_count),
      STRUCT(1.0 AS above_s, 2.5 AS up_to_s, le_2500ms AS held_count),
      STRUCT(2.5 AS above_s, 5.0 AS up_to_s, le_5000ms AS held_count),
      STRUCT(5.0 AS above_s, 10.0 AS up_to_s, le_10000ms AS held_count),
      STRUCT(10.0 AS above_s, max_s AS up_to_s, le_inf AS held_count)
    ]) AS stretch
  WHERE stretch.held_count > 0
),

-- How many of the requests stand at or below each bound between two buckets. Where a stretch ends
-- within a bucket, the next one may fill that bucket further: the largest answer is the true one.
reached AS (
  SELECT
    minute,
    service,
    endpoint,
    bound,
    MAX(
      earlier_count
      + IF(
        bound >= ends_at,
        held_count,
        CAST(FLOOR(held_count * (bound - begins_at) / (ends_at - begins_at) + 0.5) AS INT64)
      )
    ) AS reached_count
  FROM stretches
  CROSS JOIN
    UNNEST(GENERATE_ARRAY(
      CAST(FLOOR(begins_at) AS INT64) + 1,
      CAST(CEIL(ends_at) AS INT64)
    )) AS bound
  GROUP BY minute, service, endpoint, bound
),

buckets AS (
  SELECT
    minute,
    service,
    endpoint,
    bound - 1 AS bucket,
    reached_count
    - LAG(reached_count, 1, 0) OVER (
      PARTITION BY minute, service, endpoint
      ORDER BY bound
    ) AS bucket_count
  FROM reached
),

histograms AS (
  SELECT
    minute,
    service,
    endpoint,
    ARRAY_AGG(STRUCT(bucket AS bucket, bucket_count AS count) ORDER BY bucket) AS latency
  FROM buckets
  WHERE bucket_count > 0
  GROUP BY minute, service, endpoint
)

SELECT
  counted.minute,
  counted.service,
  counted.endpoint,
  '' AS region,
  '' AS version,
  counted.request_count,
  -- Spans say nothing about errors: read no availability from this source.
  0 AS error_count,
  counted.duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  'approximate' AS quality,
  counted.request_count AS observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
    AND counted.endpoint = histograms.endpoint
