-- The open jobs of chains.
SELECT json_group_array(json_array(
           {job_columns}))
  FROM (
    SELECT {open_row}
      FROM json_each(:chains) AS item
     CROSS JOIN "{schema}_open_job" AS open ON open.chain_id = item.value
     CROSS JOIN "{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
     CROSS JOIN "{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
  );
