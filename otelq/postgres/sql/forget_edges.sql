-- A job that is no longer blocked, though its blockers did not close, waits for none of them.
UPDATE {schema}.blocker
SET released_at = {now}
WHERE chain_id = ANY ($2::uuid[]) AND released_at IS NULL
