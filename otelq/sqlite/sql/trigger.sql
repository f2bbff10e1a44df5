-- Make scheduled jobs due now.
UPDATE main."{schema}_open_job" SET run_at = :now
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
