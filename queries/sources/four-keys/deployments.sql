-- Every deployment that four_keys.deployments has, of services that the mapping names.
-- grain: one row per deployment_id, region
WITH named AS (
  SELECT
    CONCAT(source, ' ', deploy_id) AS deployment_id,
    COALESCE(NULLIF(service, ''), NULLIF(@service, '')) AS service,
    main_commit,
    committed_at,
    time_created
  FROM raw
),

-- An event that was sent again is the same deployment; the first one tells when it was.
firsts AS (
  SELECT
    deployment_id,
    service,
    main_commit,
    committed_at,
    time_created,
    ROW_NUMBER() OVER (
      PARTITION BY deployment_id
      ORDER BY time_created ASC, main_commit ASC
    ) AS place
  FROM named
  WHERE service IS NOT NULL
)

SELECT
  deployment_id,
  COALESCE(NULLIF(main_commit, ''), deployment_id) AS rollout_id,
  service,
  COALESCE(NULLIF(main_commit, ''), 'unknown') AS version,
  '' AS region,
  IF(committed_at <= time_created, committed_at, NULL) AS committed_at,
  time_created AS started_at,
  time_created AS finished_at,
  'succeeded' AS outcome
FROM firsts
WHERE place = 1
