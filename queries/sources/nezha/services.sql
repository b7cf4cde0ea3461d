-- Every service that the spans name, from its first minute on.
-- grain: one row per service
SELECT
  service,
  IF(STARTS_WITH(service, 'ts-'), 'train-ticket', 'online-boutique') AS system,
  TIMESTAMP_SECONDS(MIN(minute_unix)) AS valid_from
FROM raw
WHERE
  ARRAY_LENGTH(@days) = 0
  OR day IN UNNEST(@days)
GROUP BY service
