-- Every incident that four_keys.incidents has, of services that the mapping names.
-- grain: one row per incident_id
WITH named AS (
  SELECT
    CONCAT(source, ' ', incident_id) AS incident_id,
    COALESCE(NULLIF(service, ''), NULLIF(@service, '')) AS service,
    severity,
    title,
    time_created,
    -- Where the incident is open, some fill in the instant at which the table was made.
    IF(time_resolved < @open_from, time_resolved, NULL) AS time_resolved,
    -- Changes have no order; the same one is taken each time.
    (SELECT MIN(change) FROM UNNEST(changes) AS change) AS rollout_id
  FROM raw
)

SELECT
  incident_id,
  service,
  severity,
  title,
  time_created AS started_at,
  -- An issue that was opened again was closed before: the later end is not known.
  IF(time_resolved >= time_created, time_resolved, NULL) AS resolved_at,
  IF(rollout_id IS NULL, 'unknown', 'deployment') AS cause,
  rollout_id AS caused_by
FROM named
WHERE service IS NOT NULL
