-- Find the jobs whose time to start has passed, the longest waiting first. A job that was claimed no longer expires.
SELECT json_group_array(json_array(
           0, {open_job_columns}))
  FROM (
    SELECT * FROM main."{schema}_open_job" INDEXED BY "{schema}_expiring"
     WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0 AND expires_at <= :now
     ORDER BY expires_at
     LIMIT :limit
  ) AS open
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0;
