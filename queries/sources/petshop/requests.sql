-- Requests of each component and five minutes, their histogram rebuilt from percentiles.
-- grain: one row per minute, service, endpoint, region, version
--
-- Two scales make the rest short. On the axis of buckets a duration of s seconds stands at
-- LN(s) / LN(2) * 16, and bucket b holds what stands above b, up to b + 1. The request of rank r
-- among n has the odds (r - 0.5) : (n - r + 0.5) of being slower than another.
WITH counted AS (
  SELECT
    TIMESTAMP_SECONDS(unix_ts) AS minute,
    microservice AS service,
    requests AS request_count,
    CAST(ROUND(requests * (1 - COALESCE(availability_pct, 100) / 100)) AS INT64) AS error_count,
    avg_latency_s,
    p50_s,
    p90_s,
    p95_s,
    p99_s
  FROM raw
  WHERE
    traffic = @traffic
    AND split IN UNNEST(@splits)
    AND (ARRAY_LENGTH(@cases) = 0 OR `case` IN UNNEST(@cases))
    -- Unknown is not zero errors: requests without an availability are left out.
    AND (requests = 0 OR availability_pct IS NOT NULL)
),

-- Of n requests that succeeded, the one of rank CEIL(n * q) took the q quantile.
ranked AS (
  SELECT
    minute,
    service,
    request_count - error_count AS success_count,
    CEIL((request_count - error_count) * 50 / 100) AS p50_rank,
    CEIL((request_count - error_count) * 90 / 100) AS p90_rank,
    CEIL((request_count - error_count) * 95 / 100) AS p95_rank,
    CEIL((request_count - error_count) * 99 / 100) AS p99_rank,
    LN(p50_s) / LN(2) * 16 AS p50_at,
    LN(GREATEST(p50_s, p90_s)) / LN(2) * 16 AS p90_at,
    LN(GREATEST(p50_s, p90_s, p95_s)) / LN(2) * 16 AS p95_at,
    LN(GREATEST(p50_s, p90_s, p95_s, p99_s)) / LN(2) * 16 AS p99_at
  FROM counted
  WHERE
    request_count > error_count
    AND p50_s <> 0
),

-- Where two quantiles are the same request, the higher one stands.
placed AS (
  SELECT
    minute,
    service,
    success_count,
    LN((p50_rank - 0.5) / (success_count - p50_rank + 0.5)) AS p50_odds,
    LN((p90_rank - 0.5) / (success_count - p90_rank + 0.5)) AS p90_odds,
    LN((p95_rank - 0.5) / (success_count - p95_rank + 0.5)) AS p95_odds,
    LN((p99_rank - 0.5) / (success_count - p99_rank + 0.5)) AS p99_odds,
    LN((success_count - 0.5) / 0.5) AS slowest_odds,
    CASE p50_rank
      WHEN p99_rank THEN p99_at
      WHEN p95_rank THEN p95_at
      WHEN p90_rank THEN p90_at
      ELSE p50_at
    END AS p50_at,
    CASE p90_rank
      WHEN p99_rank THEN p99_at
      WHEN p95_rank THEN p95_at
      ELSE p90_at
    END AS p90_at,
    IF(p95_rank = p99_rank, p99_at, p95_at) AS p95_at,
    p99_at
  FROM ranked
  WHERE p99_at IS NOT NULL
),

-- Nobody knows the ends. Below p50 the stretch from p50 to p90 goes on; the slowest is put half as
-- far above p99 as p99 is above p95, which gives PetShop's averages back best.
ended AS (
  SELECT
    minute,
    service,
    success_count,
    p50_odds,
    p90_odds,
    p95_odds,
    p99_odds,
    slowest_odds,
    IF(
      p90_at > p50_at,
      p50_at - (p50_odds + slowest_odds) * (p90_at - p50_at) / (p90_odds - p50_odds),
      p50_at
    ) AS fastest_at,
    p50_at,
    p90_at,
    p95_at,
    p99_at,
    p99_at + (p99_at - p95_at) / 2 AS slowest_at
  FROM placed
),

-- The odds at each bound between two buckets: they rise evenly from one known duration to the next.
bounded AS (
  SELECT
    minute,
    service,
    success_count,
    bound,
    CASE
      WHEN bound >= slowest_at THEN slowest_odds
      WHEN bound >= p99_at
        THEN p99_odds + (slowest_odds - p99_odds) * (bound - p99_at) / (slowest_at - p99_at)
      WHEN bound >= p95_at
        THEN p95_odds + (p99_odds - p95_odds) * (bound - p95_at) / (p99_at - p95_at)
      WHEN bound >= p90_at
        THEN p90_odds + (p95_odds - p90_odds) * (bound - p90_at) / (p95_at - p90_at)
      WHEN bound >= p50_at OR bound >= fastest_at
        THEN p50_odds + (p90_odds - p50_odds) * (bound - p50_at) / (p90_at - p50_at)
    END AS odds
  FROM ended
  CROSS JOIN
    UNNEST(GENERATE_ARRAY(
      CAST(FLOOR(fastest_at) AS INT64),
      CAST(CEIL(slowest_at) AS INT64)
    )) AS bound
),

-- How many of the requests stand at or below each bound; none do below the fastest. The millionth
-- keeps a rank that floats miss by a hair.
reached AS (
  SELECT
    minute,
    service,
    bound,
    COALESCE(CAST(FLOOR(success_count / (1 + EXP(-odds)) + 0.500001) AS INT64), 0) AS reached_count
  FROM bounded
),

buckets AS (
  SELECT
    minute,
    service,
    GREATEST(bound - 1, -1024) AS bucket,
    reached_count
    - LAG(reached_count, 1, 0) OVER (PARTITION BY minute, service ORDER BY bound) AS bucket_count
  FROM reached
),

histograms AS (
  SELECT
    minute,
    service,
    ARRAY_AGG(STRUCT(bucket AS bucket, bucket_count AS count) ORDER BY bucket) AS latency
  FROM buckets
  WHERE bucket_count > 0
  GROUP BY minute, service
)

SELECT
  counted.minute,
  counted.service,
  '' AS endpoint,
  '' AS region,
  '' AS version,
  counted.request_count,
  counted.error_count,
  counted.avg_latency_s * (counted.request_count - counted.error_count) AS duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  'approximate' AS quality,
  counted.request_count AS observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
