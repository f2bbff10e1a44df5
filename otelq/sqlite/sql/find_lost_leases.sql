-- Find jobs whose lease ran out, the longest expired first: only types that this process has a rule for, and no lease
-- of a worker that is alive in this process.
SELECT json_group_array(json_array(
           0, {open_job_columns}))
  FROM (
    SELECT * FROM main."{schema}_open_job" INDEXED BY "{schema}_leased"
     WHERE token IS NOT NULL AND leased_until <= :now
       AND type IN (SELECT value FROM json_each(:types))
       AND token NOT IN (SELECT value FROM json_each(:except_tokens))
     ORDER BY leased_until
     LIMIT :limit
  ) AS open
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0;
