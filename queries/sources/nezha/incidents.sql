-- Every injected fault, at the service that it was injected into.
-- grain: one row per incident_id
WITH faults AS (
  SELECT
    service,
    pod,
    fault_type,
    inject_time_utc,
    TIMESTAMP(inject_time_utc, 'UTC') AS injected_at
  FROM raw
  WHERE
    ARRAY_LENGTH(@days) = 0
    OR day IN UNNEST(@days)
)

SELECT
  CONCAT(service, ' ', inject_time_utc) AS incident_id,
  service,
  CONCAT(REPLACE(fault_type, '_', ' '), ' in pod ', pod) AS title,
  injected_at AS started_at,
  TIMESTAMP_ADD(injected_at, INTERVAL @lasts_s SECOND) AS resolved_at,
  CASE fault_type
    WHEN 'cpu_contention' THEN 'capacity'
    WHEN 'cpu_consumed' THEN 'capacity'
    WHEN 'network_delay' THEN 'dependency'
    ELSE 'unknown'
  END AS cause
FROM faults
