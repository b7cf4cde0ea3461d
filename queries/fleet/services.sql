-- Each service with whoever owned it at the end of the period.
-- grain: one row per service
SELECT
  service,
  squad,
  system,
  tier,
  language,
  framework,
  lifecycle,
  oncall_timezone
FROM services
WHERE
  valid_from < @end
  AND (valid_to IS NULL OR valid_to > @start)
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
QUALIFY ROW_NUMBER() OVER (PARTITION BY service ORDER BY valid_from DESC) = 1
