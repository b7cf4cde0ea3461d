-- Processes of each service, version and hour, from the jvm.* metrics.
-- grain: one row per hour, service, version, region
--
-- On the axis of buckets a pause of s seconds stands at LN(s) / LN(2) * 16, and bucket b holds
-- what stands above b, up to b + 1. An exponential histogram of scale 4 has the same buckets.
WITH points AS (
  SELECT
    TIMESTAMP_TRUNC(observed_at, HOUR) AS hour,
    observed_at,
    service,
    COALESCE(version, '') AS version,
    COALESCE(region, '') AS region,
    metric,
    COALESCE(instance, '') AS instance,
    runtime,
    memory_type,
    gauge_value,
    IF(
      metric <> 'jvm.gc.duration' OR REGEXP_CONTAINS(UPPER(temporality), '(^|_)DELTA$|^1$'),
      point_sum_s,
      ERROR(
        CONCAT(
          'points of jvm.gc.duration must have delta temporality, not ',
          COALESCE(temporality, 'none'),
          '; set it in the SDK, or convert with the collector (cumulativetodelta)'
        )
      )
    ) AS point_sum_s,
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
    metric IN (
      'jvm.memory.used',
      'jvm.memory.limit',
      'jvm.thread.count',
      'jvm.cpu.recent_utilization',
      'jvm.gc.duration'
    )
    AND service <> ''
),

-- A process gives a point per pool of memory and per state of threads; at one instant they add up.
instants AS (
  SELECT
    hour,
    observed_at,
    service,
    version,
    region,
    instance,
    MAX(runtime) AS runtime,
    SUM(IF(metric = 'jvm.memory.used' AND memory_type = 'heap', gauge_value, NULL)) AS used_bytes,
    SUM(IF(metric = 'jvm.memory.limit' AND memory_type = 'heap', gauge_value, NULL)) AS limit_bytes,
    SUM(IF(metric = 'jvm.thread.count', gauge_value, NULL)) AS thread_count,
    MAX(IF(metric = 'jvm.cpu.recent_utilization', gauge_value, NULL)) AS cpu_utilization,
    SUM(IF(metric = 'jvm.gc.duration', point_sum_s, NULL)) AS pause_sum_s
  FROM points
  GROUP BY hour, observed_at, service, version, region, instance
),

processes AS (
  SELECT
    hour,
    service,
    version,
    region,
    MAX(runtime) AS runtime,
    AVG(cpu_utilization) AS cpu_utilization,
    CAST(ROUND(AVG(used_bytes)) AS INT64) AS heap_used_bytes,
    CAST(ROUND(AVG(limit_bytes)) AS INT64) AS heap_limit_bytes,
    SUM(pause_sum_s) AS gc_pause_sum_s,
    CAST(ROUND(AVG(thread_count)) AS INT64) AS thread_count
  FROM instants
  GROUP BY hour, service, version, region
),

-- Processes that follow one another in a rollout did not run at once: minutes tell them apart.
minutes AS (
  SELECT
    hour,
    service,
    version,
    region,
    TIMESTAMP_TRUNC(observed_at, MINUTE) AS minute,
    COUNT(DISTINCT instance) AS instance_count
  FROM instants
  GROUP BY hour, service, version, region, minute
),

instances AS (
  SELECT
    hour,
    service,
    version,
    region,
    MAX(instance_count) AS instance_count
  FROM minutes
  GROUP BY hour, service, version, region
),

bounded AS (
  SELECT
    hour,
    service,
    version,
    region,
    min_s,
    max_s,
    COALESCE(explicit_bounds_s[SAFE_ORDINAL(place - 1)], 0) AS lower_s,
    explicit_bounds_s[SAFE_ORDINAL(place)] AS upper_s,
    bucket_counts[SAFE_ORDINAL(place)] AS held_count
  FROM points
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, ARRAY_LENGTH(bucket_counts))) AS place
  WHERE
    metric = 'jvm.gc.duration'
    AND ARRAY_LENGTH(explicit_bounds_s) > 0
),

-- The shortest and the longest pause end the outer buckets where they are known; else the first
-- bucket is taken to span a factor of 2, and the last one too.
ended AS (
  SELECT
    hour,
    service,
    version,
    region,
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
-- histogram, whose buckets are 2 ** (4 - scale) wide, then of the pauses that were 0.
stretches AS (
  SELECT
    hour,
    service,
    version,
    region,
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
    hour,
    service,
    version,
    region,
    (positive_offset + place - 1) * POW(2, 4 - scale) AS begins_at,
    (positive_offset + place) * POW(2, 4 - scale) AS ends_at,
    positive_counts[SAFE_ORDINAL(place)] AS held_count
  FROM points
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, ARRAY_LENGTH(positive_counts))) AS place
  WHERE
    metric = 'jvm.gc.duration'
    AND positive_counts[SAFE_ORDINAL(place)] > 0
  UNION ALL
  SELECT
    hour,
    service,
    version,
    region,
    -1024.0 AS begins_at,
    -1023.0 AS ends_at,
    zero_count AS held_count
  FROM points
  WHERE
    metric = 'jvm.gc.duration'
    AND zero_count > 0
  UNION ALL
  SELECT
    hour,
    service,
    version,
    region,
    -1024.0 AS begins_at,
    -1023.0 AS ends_at,
    held_count
  FROM ended
  WHERE up_to_s <= 0
),

-- What a stretch holds is spread evenly; what is rounded is the running total.
spread AS (
  SELECT
    hour,
    service,
    version,
    region,
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
    hour,
    service,
    version,
    region,
    bucket,
    CAST(SUM(bucket_count) AS INT64) AS bucket_count
  FROM spread
  GROUP BY hour, service, version, region, bucket
),

histograms AS (
  SELECT
    hour,
    service,
    version,
    region,
    ARRAY_AGG(STRUCT(bucket AS bucket, bucket_count AS count) ORDER BY bucket) AS gc_pause
  FROM buckets
  WHERE bucket_count > 0
  GROUP BY hour, service, version, region
)

SELECT
  processes.hour,
  processes.service,
  processes.version,
  processes.region,
  processes.runtime,
  instances.instance_count,
  processes.cpu_utilization,
  processes.heap_used_bytes,
  processes.heap_limit_bytes,
  processes.gc_pause_sum_s,
  COALESCE(histograms.gc_pause, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS gc_pause,
  processes.thread_count
FROM processes
INNER JOIN instances
  ON
    processes.hour = instances.hour
    AND processes.service = instances.service
    AND processes.version = instances.version
    AND processes.region = instances.region
LEFT JOIN histograms
  ON
    processes.hour = histograms.hour
    AND processes.service = histograms.service
    AND processes.version = histograms.version
    AND processes.region = histograms.region
