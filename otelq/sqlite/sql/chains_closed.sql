-- Tails of chains that are closed, newest chain first, by the key alone: from chain to chain, however many jobs each has.
WITH
{wishes}
SELECT json_array(json_array(
           found.number, json(found.rows),
           iif(found.number < :most, (
               SELECT json_array(chain_id, position) FROM (
                WITH RECURSIVE chain (chain_id) AS (
                    SELECT max(chain_id) FROM "{schema}_outcome" WHERE chain_id BETWEEN :low AND :high
                    UNION ALL
                    SELECT (SELECT max(next.chain_id) FROM "{schema}_outcome" AS next
                             WHERE next.chain_id >= :low AND next.chain_id < chain.chain_id)
                      FROM chain
                     WHERE chain.chain_id IS NOT NULL
                )
                SELECT chain.chain_id,
                       (SELECT max(tail.position) FROM "{schema}_job" AS tail
                         WHERE tail.chain_id = chain.chain_id) AS position
                  FROM chain
                 WHERE chain.chain_id IS NOT NULL AND NOT (chain.chain_id = :high AND :position >= 0)
                LIMIT 1 OFFSET :look - 1
               )), NULL)))
  FROM (
    SELECT count(*) AS number, json_group_array(json_array(
           {job_columns})) FILTER (WHERE :shows) AS rows
      FROM (
        SELECT {closed_row},
               {of_chain}
          FROM (
                WITH RECURSIVE chain (chain_id) AS (
                    SELECT max(chain_id) FROM "{schema}_outcome" WHERE chain_id BETWEEN :low AND :high
                    UNION ALL
                    SELECT (SELECT max(next.chain_id) FROM "{schema}_outcome" AS next
                             WHERE next.chain_id >= :low AND next.chain_id < chain.chain_id)
                      FROM chain
                     WHERE chain.chain_id IS NOT NULL
                )
                SELECT chain.chain_id,
                       (SELECT max(tail.position) FROM "{schema}_job" AS tail
                         WHERE tail.chain_id = chain.chain_id) AS position
                  FROM chain
                 WHERE chain.chain_id IS NOT NULL AND NOT (chain.chain_id = :high AND :position >= 0)
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
