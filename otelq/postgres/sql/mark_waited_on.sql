-- Marks new hot rows of chains that have dependents already. A transaction that adds another needs these rows, which
-- are locked until the commit.
UPDATE {schema}.open_job AS o
SET waited_on = true
WHERE o.chain_id = ANY ($1::uuid[])
    AND EXISTS (
        SELECT FROM {schema}.blocker AS b WHERE b.blocker_id = o.chain_id AND b.released_at IS NULL
    )
