-- Says on new hot rows of chains whether somebody waits for them; those who are about to cannot while they are locked.
UPDATE {schema}.open_job AS o
SET waited_on = true
WHERE o.chain_id = ANY ($1::uuid[])
    AND EXISTS (
        SELECT FROM {schema}.blocker AS b WHERE b.blocker_id = o.chain_id AND b.released_at IS NULL
    )
