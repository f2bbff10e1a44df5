-- Marks blockers as released that did not close: their jobs were closed or continued by request, or expired.
UPDATE {schema}.blocker
SET released_at = {now}
WHERE chain_id = ANY ($2::uuid[]) AND released_at IS NULL
