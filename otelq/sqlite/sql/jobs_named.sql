-- Jobs of certain chains, given newest first, open and closed.
WITH
{wishes}
SELECT json_array(json_array(
           found.number, json(found.rows),
           iif(found.number < :most, (
               SELECT json_array(chain_id, position) FROM (
                SELECT job.chain_id, job.position
                  FROM json_each(:chains) AS item
                 CROSS JOIN "{schema}_job" AS job ON job.chain_id = item.value
                 WHERE NOT (job.chain_id = :high AND job.position <= :position)
                LIMIT 1 OFFSET :look - 1
               )), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(
           {job_columns})) FILTER (WHERE :shows) AS rows
      FROM (
        SELECT {any_row},
               {of_job}
          FROM (
                SELECT job.chain_id, job.position
                  FROM json_each(:chains) AS item
                 CROSS JOIN "{schema}_job" AS job ON job.chain_id = item.value
                 WHERE NOT (job.chain_id = :high AND job.position <= :position)
                LIMIT :look
          ) AS walk
         CROSS JOIN "{schema}_job" AS job ON job.chain_id = walk.chain_id AND job.position = walk.position
         CROSS JOIN "{schema}_job" AS head ON head.chain_id = walk.chain_id AND head.position = 0
          LEFT JOIN "{schema}_open_job" AS open ON open.chain_id = job.chain_id AND open.position = job.position
          LEFT JOIN "{schema}_outcome" AS outcome
            ON outcome.chain_id = job.chain_id AND outcome.position = job.position AND outcome.generation = 0
         WHERE {passes}
         LIMIT :most
      )
  ) AS found;
