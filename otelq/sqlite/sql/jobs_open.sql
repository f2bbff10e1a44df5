-- Jobs that are open, newest chain first.
WITH
{wishes}
SELECT json_array(json_array(
           found.number, json(found.rows),
           iif(found.number < :most, (
               SELECT json_array(chain_id, position) FROM (
                SELECT chain_id, position FROM "{schema}_open_job"
                 WHERE {within}
                 ORDER BY chain_id DESC
                LIMIT 1 OFFSET :look - 1
               )), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(
           {job_columns})) FILTER (WHERE :shows) AS rows
      FROM (
        SELECT {open_row},
               {of_job}
          FROM (
                SELECT chain_id, position FROM "{schema}_open_job"
                 WHERE {within}
                 ORDER BY chain_id DESC
                LIMIT :look
          ) AS walk
         CROSS JOIN "{schema}_open_job" AS open ON open.chain_id = walk.chain_id
         CROSS JOIN "{schema}_job" AS job ON job.chain_id = walk.chain_id AND job.position = walk.position
         CROSS JOIN "{schema}_job" AS head ON head.chain_id = walk.chain_id AND head.position = 0
         WHERE {passes}
         LIMIT :most
      )
  ) AS found;
