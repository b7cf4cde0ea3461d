-- What was not OK of each service, route and minute, from http.server.request.duration.
-- grain: one row per minute, service, endpoint, region, version, error, upstream
WITH points AS (
  SELECT
    TIMESTAMP_TRUNC(started_at, MINUTE) AS minute,
    service,
    TRIM(CONCAT(COALESCE(method, ''), ' ', COALESCE(route, ''))) AS endpoint,
    COALESCE(region, '') AS region,
    COALESCE(version, '') AS version,
    NULLIF(status, 0) AS status,
    NULLIF(error_type, '') AS error_type,
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
    ) AS point_count
  FROM raw
  WHERE
    metric = 'http.server.request.duration'
    AND service <> ''
),

-- A request that ended without a status and with an error is an exception.
failed AS (
  SELECT
    minute,
    service,
    endpoint,
    region,
    version,
    COALESCE(CAST(status AS STRING), error_type) AS error,
    COALESCE(status >= 500, TRUE) AS is_fault,
    point_count
  FROM points
  WHERE
    point_count > 0
    AND COALESCE(status >= 400, error_type IS NOT NULL)
)

SELECT
  minute,
  service,
  endpoint,
  region,
  version,
  error,
  CAST(NULL AS STRING) AS upstream,
  SUM(point_count) AS error_count,
  is_fault
FROM failed
GROUP BY minute, service, endpoint, region, version, error, is_fault
