-- What was not OK of each backend service and minute, out of a load balancer's log view.
-- grain: one row per minute, service, endpoint, region, version, error, upstream
--
-- An entry logged at a sample rate of 0.1 stands for ten requests, its weight.
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
    IF(
      status = 0,
      COALESCE(NULLIF(status_details, ''), 'no response'),
      CAST(status AS STRING)
    ) AS error,
    -- Without a status nothing was served: dropped, unless the client went away.
    status >= 500 OR (status = 0 AND NOT STARTS_WITH(status_details, 'client_')) AS is_fault,
    1 / sample_rate AS weight
  FROM parsed
  WHERE NOT status BETWEEN 100 AND 399
)

SELECT
  minute,
  service,
  endpoint,
  region,
  version,
  error,
  CAST(NULL AS STRING) AS upstream,
  CAST(FLOOR(SUM(weight) + 0.500001) AS INT64) AS error_count,
  is_fault
FROM entries
GROUP BY minute, service, endpoint, region, version, error, is_fault
