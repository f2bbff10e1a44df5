-- Delete what the jobs of the chains waited for. Rows that name the chains as blockers are checked before: see
-- find_dependent.
DELETE FROM main."{schema}_blocker"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
