-- Makes jobs due that are locked and scheduled, at the time they were looked at.
UPDATE {schema}.open_job
SET run_at = $2::timestamptz
WHERE chain_id = ANY ($1::uuid[])
