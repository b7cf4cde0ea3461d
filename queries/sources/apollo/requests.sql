-- Requests of each service, endpoint and minute, from the counters and percentiles of Apollo.
-- grain: one row per minute, service, endpoint, region, version
--
-- Two scales make the rest short. On the axis of buckets a duration of s seconds stands at
-- LN(s) / LN(2) * 16, and bucket b holds what stands above b, up to b + 1. The request of rank r
-- among n has the odds (r - 0.5) : (n - r + 0.5) of being slower than another.
WITH samples AS (
  SELECT
    observed_at,
    TIMESTAMP_TRUNC(observed_at, MINUTE) AS minute,
    service,
    COALESCE(endpoint, '') AS endpoint,
    COALESCE(region, '') AS region,
    COALESCE(version, '') AS version,
    COALESCE(host, '') AS host,
    what,
    COALESCE(status_code, '') AS status_code,
    stat,
    unit,
    sample
  FROM raw
  WHERE service <> ''
),

-- A meter sends its rates, which have a stat, and its count since its process began, without one.
counters AS (
  SELECT
    observed_at,
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    what,
    status_code,
    sample,
    LAG(sample) OVER (
      PARTITION BY service, endpoint, region, version, host, what, status_code
      ORDER BY observed_at
    ) AS earlier_sample,
    MIN(observed_at) OVER (PARTITION BY service, host) AS host_seen_at
  FROM samples
  WHERE
    what IN ('endpoint-request-rate', 'dropped-request-rate')
    AND stat IS NULL
),

-- A count that fell began again from 0. One that appears on a host that had reported before was 0;
-- one that appears with its host says nothing about this period.
grown AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    what = 'dropped-request-rate' OR status_code LIKE '5%' AS is_fault,
    CAST(
      CASE
        WHEN sample >= earlier_sample THEN sample - earlier_sample
        WHEN earlier_sample IS NOT NULL OR observed_at > host_seen_at THEN sample
        ELSE 0
      END AS INT64
    ) AS request_count
  FROM counters
),

hosts AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    SUM(request_count) AS request_count,
    SUM(IF(is_fault, request_count, 0)) AS error_count
  FROM grown
  GROUP BY minute, service, endpoint, region, version, host
),

-- A timer sends its rates too, in ns/s. Its percentiles are those of the last minutes; of several
-- in one minute the last stands.
durations AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    CASE stat
      WHEN 'min' THEN 0
      WHEN 'median' THEN 0.5
      WHEN 'max' THEN 1
      ELSE SAFE_CAST(CONCAT('0.', REGEXP_EXTRACT(stat, '^p([0-9]+)$')) AS FLOAT64)
    END AS quantile,
    sample / 1e9 AS duration_s,
    ROW_NUMBER() OVER (
      PARTITION BY minute, service, endpoint, region, version, host, stat
      ORDER BY observed_at DESC
    ) AS place
  FROM samples
  WHERE
    what = 'endpoint-request-duration'
    AND unit = 'ns'
),

-- Of n requests that succeeded, the one of rank CEIL(n * q) took the q quantile. Where two
-- quantiles are the same request, the higher one stands.
ranked AS (
  SELECT
    hosts.minute,
    hosts.service,
    hosts.endpoint,
    hosts.region,
    hosts.version,
    hosts.host,
    hosts.request_count - hosts.error_count AS success_count,
    GREATEST(
      CAST(
        CEIL((hosts.request_count - hosts.error_count) * durations.quantile - 0.000001) AS INT64
      ),
      1
    ) AS knot_rank,
    MAX(durations.duration_s) AS duration_s
  FROM hosts
  INNER JOIN durations
    ON
      hosts.minute = durations.minute
      AND hosts.service = durations.service
      AND hosts.endpoint = durations.endpoint
      AND hosts.region = durations.region
      AND hosts.version = durations.version
      AND hosts.host = durations.host
  WHERE
    durations.place = 1
    AND durations.quantile IS NOT NULL
    AND durations.duration_s > 0
    AND hosts.request_count > hosts.error_count
  GROUP BY
    hosts.minute,
    hosts.service,
    hosts.endpoint,
    hosts.region,
    hosts.version,
    hosts.host,
    success_count,
    knot_rank
),

-- A higher quantile is no shorter than those before it.
knots AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    success_count,
    knot_rank,
    LN((knot_rank - 0.5) / (success_count - knot_rank + 0.5)) AS odds,
    LN(MAX(duration_s) OVER (
      PARTITION BY minute, service, endpoint, region, version, host
      ORDER BY knot_rank
    )) / LN(2) * 16 AS stands_at
  FROM ranked
),

-- From one known request to the next. What is under the lowest stands with it, and what is over
-- the highest too.
stretches AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    success_count,
    LAG(knot_rank, 1, 0) OVER (
      PARTITION BY minute, service, endpoint, region, version, host
      ORDER BY knot_rank
    ) AS from_rank,
    IF(
      LEAD(knot_rank) OVER (
        PARTITION BY minute, service, endpoint, region, version, host
        ORDER BY knot_rank
      ) IS NULL,
      success_count,
      knot_rank
    ) AS to_rank,
    LAG(odds) OVER (
      PARTITION BY minute, service, endpoint, region, version, host
      ORDER BY knot_rank
    ) AS from_odds,
    odds AS to_odds,
    COALESCE(
      LAG(stands_at) OVER (
        PARTITION BY minute, service, endpoint, region, version, host
        ORDER BY knot_rank
      ),
      stands_at
    ) AS begins_at,
    stands_at AS ends_at
  FROM knots
),

-- How many requests of a stretch stand at or below each bound between two buckets: the odds rise
-- evenly. The millionth keeps a rank that floats miss by a hair.
reached AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    host,
    from_rank,
    bound,
    CASE
      WHEN bound >= ends_at THEN to_rank
      ELSE LEAST(
        GREATEST(
          CAST(
            FLOOR(
              success_count / (1 + EXP(
                -from_odds
                - (to_odds - from_odds) * (bound - begins_at) / (ends_at - begins_at)
              ))
              + 0.500001
            ) AS INT64
          ),
          from_rank
        ),
        to_rank - 1
      )
    END AS reached_rank
  FROM stretches
  CROSS JOIN
    UNNEST(GENERATE_ARRAY(
      CAST(LEAST(FLOOR(begins_at) + 1, CEIL(ends_at)) AS INT64),
      CAST(CEIL(ends_at) AS INT64)
    )) AS bound
),

parts AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    GREATEST(bound - 1, -1024) AS bucket,
    reached_rank
    - COALESCE(
      LAG(reached_rank) OVER (
        PARTITION BY minute, service, endpoint, region, version, host, from_rank
        ORDER BY bound
      ),
      from_rank
    ) AS part_count
  FROM reached
),

buckets AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    bucket,
    CAST(SUM(part_count) AS INT64) AS bucket_count
  FROM parts
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
),

counted AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    SUM(request_count) AS request_count,
    SUM(error_count) AS error_count
  FROM hosts
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
  -- A mean per host of the last minutes is no sum of these requests.
  CAST(NULL AS FLOAT64) AS duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  'approximate' AS quality,
  counted.request_count AS observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
    AND counted.endpoint = histograms.endpoint
    AND counted.region = histograms.region
    AND counted.version = histograms.version
