-- Incidents that started in the period, or before it and were still open when it began.
-- grain: one row per incident_id
SELECT
  incident_id,
  service,
  severity,
  title,
  started_at,
  detected_at,
  mitigated_at,
  resolved_at,
  cause,
  caused_by
FROM incidents
WHERE
  started_at >= @since
  AND started_at < @end
  AND (started_at >= @start OR resolved_at IS NULL OR resolved_at > @start)
  AND (ARRAY_LENGTH(@services) = 0 OR service IN UNNEST(@services))
