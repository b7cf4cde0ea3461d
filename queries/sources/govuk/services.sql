-- Every service that was ever deployed to production.
-- grain: one row per service
SELECT
  service,
  'govuk' AS system,
  MIN(started_at) AS valid_from
FROM raw
WHERE environment = 'production'
GROUP BY service
