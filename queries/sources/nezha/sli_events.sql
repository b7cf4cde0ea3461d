-- Whether a minute of the load generator was free of errors.
-- grain: one row per minute, service, sli
SELECT
  TIMESTAMP_TRUNC(TIMESTAMP(time_utc, 'UTC'), MINUTE) AS minute,
  LOWER(service) AS service,
  'minutes_without_errors' AS sli,
  IF(success_pct >= 100, 1, 0) AS good_count,
  1 AS valid_count
FROM raw
WHERE time_utc < '2023'
