-- Jobs that failed, or that were cancelled: the list with an index of its own, which the literals name.
WITH
{wishes}
SELECT json_array(json_array(
           found.number, json(found.rows),
           iif(found.number < :most, (
               SELECT json_array(chain_id, position) FROM (
                SELECT chain_id, position FROM "{schema}_outcome" INDEXED BY "{schema}_ended_badly"
                 WHERE status = :status AND status IN ('failed', 'cancelled') AND generation = 0 AND {within}
                 ORDER BY chain_id DESC
                LIMIT 1 OFFSET :look - 1
               )), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(
           {job_columns})) FILTER (WHERE :shows) AS rows
      FROM (
        SELECT {closed_row},
               {of_job}
          FROM (
                SELECT chain_id, position FROM "{schema}_outcome" INDEXED BY "{schema}_ended_badly"
                 WHERE status = :status AND status IN ('failed', 'cancelled') AND generation = 0 AND {within}
                 ORDER BY chain_id DESC
                LIMIT :look
          ) AS walk
         CROSS JOIN "{schema}_outcome" AS outcome
            ON outcome.chain_id = walk.chain_id AND outcome.position = walk.position AND outcome.generation = 0
         CROSS JOIN "{schema}_job" AS job ON job.chain_id = walk.chain_id AND job.position = walk.position
         CROSS JOIN "{schema}_job" AS head ON head.chain_id = walk.chain_id AND head.position = 0
         WHERE {passes}
         LIMIT :most
      )
  ) AS found;
