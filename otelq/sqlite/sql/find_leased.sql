-- Find the jobs of one claim by its token. The index of leases holds running jobs only, so reading all of it is cheap.
SELECT json_group_array(json_array(
           0, {open_job_columns}))
  FROM main."{schema}_open_job" AS open INDEXED BY "{schema}_leased"
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
 WHERE open.token = :token;
