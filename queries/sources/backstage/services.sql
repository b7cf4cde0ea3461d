-- Every component of a Backstage catalogue as a service.
-- grain: one row per service, valid_from
WITH entities AS (
  SELECT
    JSON_VALUE(metadata, '$.name') AS name,
    COALESCE(JSON_VALUE(metadata, '$.namespace'), 'default') AS namespace,
    JSON_VALUE(spec, '$.owner') AS owner,
    JSON_VALUE(spec, '$.system') AS system,
    JSON_VALUE(spec, '$.lifecycle') AS lifecycle,
    JSON_VALUE(metadata, @tier_path) AS tier,
    JSON_VALUE(metadata, @language_path) AS language
  FROM raw
  WHERE kind = 'Component'
)

SELECT
  IF(namespace = 'default', name, CONCAT(namespace, '/', name)) AS service,
  -- A reference is [kind:][namespace/]name.
  REGEXP_EXTRACT(owner, '[^:/]+$') AS squad,
  REGEXP_EXTRACT(system, '[^:/]+$') AS system,
  -- 1, tier1 and tier-1 are the same; what is no tier is left open.
  CAST(REGEXP_EXTRACT(tier, '^[^0-9]*([1-4])$') AS INT64) AS tier,
  language,
  lifecycle,
  @valid_from AS valid_from
FROM entities
