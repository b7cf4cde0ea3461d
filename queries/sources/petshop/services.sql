-- Every component that a scenario's metrics name, from its first interval on.
-- grain: one row per service
SELECT
  microservice AS service,
  'petshop' AS system,
  TIMESTAMP_SECONDS(MIN(unix_ts)) AS valid_from
FROM raw
WHERE
  traffic = @traffic
  AND split IN UNNEST(@splits)
GROUP BY microservice
