-- Deployments that started in the period, or before it and were not finished when it began.
-- grain: one row per deployment_id, region
SELECT
  deployment_id,
  rollout_id,
  service,
  version,
  previous_version,
  region,
  strategy,
  traffic_share,
  committed_at,
  started_at,
  finished_at,
  outcome,
  rollback_of,
  remediates
FROM deployments
WHERE
  started_at >= @since
  AND started_at < @end
  AND (
    started_at >= @start
    OR finished_at > @start
    OR (finished_at IS NULL AND outcome = 'in_progress')
  )
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
