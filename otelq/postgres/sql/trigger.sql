-- Makes scheduled jobs due whose rows are locked, at the time at which they were read.
UPDATE {schema}.open_job
SET run_at = $2::timestamptz
WHERE chain_id = ANY ($1::uuid[])
