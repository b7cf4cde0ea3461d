-- Every deployment to production, and which one it rolled back.
-- grain: one row per deployment_id, region
WITH ordered AS (
  SELECT
    service,
    version,
    previous_version,
    started_at,
    kind,
    outcome,
    `commit` AS rollout_id,
    -- Two of a service in the same second: the later one came 0 minutes after.
    LAG(`commit`) OVER (
      PARTITION BY service
      ORDER BY started_at ASC, minutes_since_previous DESC
    ) AS earlier_rollout_id,
    LAG(outcome) OVER (
      PARTITION BY service
      ORDER BY started_at ASC, minutes_since_previous DESC
    ) AS earlier_outcome
  FROM raw
  WHERE environment = 'production'
),

undone AS (
  SELECT
    service,
    version,
    previous_version,
    started_at,
    outcome,
    rollout_id,
    IF(kind = 'backward' AND earlier_outcome = 'rolled_back', earlier_rollout_id, NULL)
      AS rollback_of
  FROM ordered
)

SELECT
  rollout_id AS deployment_id,
  rollout_id,
  service,
  version,
  previous_version,
  '' AS region,
  started_at,
  IF(outcome = 'rolled_back', 'rolled_back', 'succeeded') AS outcome,
  rollback_of,
  rollback_of AS remediates
FROM undone
