-- Every injected issue of a scenario, at the component that caused it.
-- grain: one row per incident_id
WITH issues AS (
  SELECT
    CONCAT(traffic, '/', split, '/', `case`) AS issue_id,
    root_cause_node,
    target_node,
    target_metric,
    change_kind,
    issue_unix_ts,
    metrics_last_ts
  FROM raw
  WHERE
    traffic = @traffic
    AND split IN UNNEST(@splits)
    AND (ARRAY_LENGTH(@cases) = 0 OR `case` IN UNNEST(@cases))
)

SELECT
  issue_id AS incident_id,
  root_cause_node AS service,
  CONCAT(target_metric, ' of ', target_node, ' after ', REPLACE(change_kind, '_', ' ')) AS title,
  TIMESTAMP_SECONDS(issue_unix_ts) AS started_at,
  -- The last interval begins at metrics_last_ts and is five minutes long.
  TIMESTAMP_SECONDS(metrics_last_ts + 300) AS resolved_at,
  CASE change_kind
    WHEN 'code_deploy' THEN 'deployment'
    WHEN 'config_change' THEN 'configuration'
    WHEN 'load' THEN 'capacity'
    ELSE 'unknown'
  END AS cause,
  IF(change_kind = 'code_deploy', issue_id, NULL) AS caused_by
FROM issues
