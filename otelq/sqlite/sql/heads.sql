-- The closed first jobs of chains.
SELECT json_group_array(json_array(
           {job_columns}))
  FROM (
    SELECT {closed_row}
      FROM json_each(:chains) AS item
     CROSS JOIN "{schema}_outcome" AS outcome
        ON outcome.chain_id = item.value AND outcome.position = 0 AND outcome.generation = 0
     CROSS JOIN "{schema}_job" AS job ON job.chain_id = outcome.chain_id AND job.position = outcome.position
     CROSS JOIN "{schema}_job" AS head ON head.chain_id = outcome.chain_id AND head.position = 0
  );
