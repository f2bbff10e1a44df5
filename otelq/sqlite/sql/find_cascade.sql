-- Find the chains to delete: the given ones, the blockers of all their jobs, and so on. UNION ends the search in a
-- cycle.
WITH RECURSIVE doomed (chain_id) AS (
    SELECT value FROM json_each(:chains)
    UNION
    SELECT blocker.blocker_id
      FROM doomed
     CROSS JOIN main."{schema}_blocker" AS blocker ON blocker.chain_id = doomed.chain_id
)
SELECT json_group_array(chain_id) FROM doomed;
