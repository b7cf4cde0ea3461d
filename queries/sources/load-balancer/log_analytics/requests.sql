-- Requests of each backend service, endpoint and minute, out of a load balancer's log view.
-- grain: one row per minute, service, endpoint, region, version
--
-- An entry logged at a sample rate of 0.1 stands for ten requests, its weight. Weights need not be
-- whole; what is rounded is their running total, so that the parts add up to the whole.
-- An entry may arrive twice; its log, time and id tell.
WITH numbered AS (
  SELECT
    logged_at,
    service,
    region,
    version,
    method,
    url,
    status,
    status_details,
    latency.seconds + latency.nanos / 1e9 AS latency_s,
    sample_rate,
    ROW_NUMBER() OVER (
      PARTITION BY log_name, logged_at, insert_id
      ORDER BY status DESC
    ) AS arrival
  FROM raw
),

-- GET https://shop.example/cart/17?size=2 is GET /cart/{id}: numbers, UUIDs and long hexadecimals
-- give way. Doubled slashes let neighbours both match.
parsed AS (
  SELECT
    TIMESTAMP_TRUNC(logged_at, MINUTE) AS minute,
    service,
    COALESCE(region, '') AS region,
    COALESCE(version, '') AS version,
    COALESCE(method, '') AS method,
    CONCAT(
      REPLACE(REGEXP_REPLACE(url, r'^[a-zA-Z]+://[^/?#]*|[?#].*$', ''), '/', '//'),
      '/'
    ) AS segments,
    COALESCE(status, 0) AS status,
    COALESCE(status_details, '') AS status_details,
    latency_s,
    COALESCE(sample_rate, 1) AS sample_rate
  FROM numbered
  WHERE
    service <> ''
    AND arrival = 1
),

entries AS (
  SELECT
    minute,
    service,
    region,
    version,
    TRIM(CONCAT(method, ' ', COALESCE(
      CONCAT(
        '/',
        TRIM(
          REPLACE(
            REGEXP_REPLACE(segments, r'/(?:[0-9]+|[0-9a-fA-F-]{16,})/', '/{id}/'),
            '//',
            '/'
          ),
          '/'
        )
      ),
      ''
    ))) AS endpoint,
    -- Without a status nothing was served: dropped, unless the client went away.
    status >= 500 OR (status = 0 AND NOT STARTS_WITH(status_details, 'client_')) AS is_fault,
    latency_s,
    -- Bucket b holds what stands above b, up to b + 1, where s seconds stand at LN(s) / LN(2) * 16.
    IF(
      latency_s = 0,
      -1024,
      GREATEST(CAST(CEIL(LN(latency_s) / LN(2) * 16) AS INT64) - 1, -1024)
    ) AS bucket,
    sample_rate,
    1 / sample_rate AS weight
  FROM parsed
),

counted AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    CAST(FLOOR(SUM(IF(is_fault, 0, weight)) + 0.500001) AS INT64) AS success_count,
    CAST(FLOOR(SUM(IF(is_fault, weight, 0)) + 0.500001) AS INT64) AS error_count,
    -- The sum is unknown as soon as one of the durations is.
    IF(
      COUNTIF(NOT is_fault AND latency_s IS NULL) > 0,
      NULL,
      SUM(IF(is_fault, 0, latency_s * weight))
    ) AS duration_sum_s,
    IF(MIN(sample_rate) < 1, 'sampled', 'exact') AS quality,
    COUNT(*) AS observed_count
  FROM entries
  GROUP BY minute, service, endpoint, region, version
),

weighed AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    bucket,
    SUM(weight) AS weight
  FROM entries
  WHERE
    NOT is_fault
    AND bucket IS NOT NULL
  GROUP BY minute, service, endpoint, region, version, bucket
),

reached AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    bucket,
    FLOOR(0.500001 + SUM(weight) OVER (
      PARTITION BY minute, service, endpoint, region, version
      ORDER BY bucket
    )) AS reached_count
  FROM weighed
),

buckets AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    bucket,
    CAST(reached_count - LAG(reached_count, 1, 0) OVER (
      PARTITION BY minute, service, endpoint, region, version
      ORDER BY bucket
    ) AS INT64) AS bucket_count
  FROM reached
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
  counted.success_count + counted.error_count AS request_count,
  counted.error_count,
  counted.duration_sum_s,
  COALESCE(histograms.latency, ARRAY<STRUCT<bucket INT64, count INT64>>[]) AS latency,
  counted.quality,
  counted.observed_count
FROM counted
LEFT JOIN histograms
  ON
    counted.minute = histograms.minute
    AND counted.service = histograms.service
    AND counted.endpoint = histograms.endpoint
    AND counted.region = histograms.region
    AND counted.version = histograms.version
