-- Every injected issue of a scenario that was a deployment of code.
-- grain: one row per deployment_id, region
WITH issues AS (
  SELECT
    CONCAT(traffic, '/', split, '/', `case`) AS issue_id,
    `case`,
    root_cause_node,
    issue_unix_ts
  FROM raw
  WHERE
    change_kind = 'code_deploy'
    AND traffic = @traffic
    AND split IN UNNEST(@splits)
    AND (ARRAY_LENGTH(@cases) = 0 OR `case` IN UNNEST(@cases))
)

SELECT
  issue_id AS deployment_id,
  issue_id AS rollout_id,
  root_cause_node AS service,
  `case` AS version,
  '' AS region,
  TIMESTAMP_SECONDS(issue_unix_ts) AS started_at,
  'succeeded' AS outcome
FROM issues
