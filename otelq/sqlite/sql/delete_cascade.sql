-- The chains, the blockers of all their jobs, theirs in turn, and so on.
WITH RECURSIVE doomed (chain_id) AS (
    SELECT value FROM json_each(:chains)
    UNION
    SELECT edge.blocker_id
      FROM doomed
     CROSS JOIN main."{schema}_blocker" AS edge ON edge.chain_id = doomed.chain_id
)
SELECT json_group_array(chain_id) FROM doomed;
