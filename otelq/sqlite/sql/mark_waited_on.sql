-- Note on open chains that a job waits for them, so that closing a chain that nothing waits for reads no blockers.
UPDATE main."{schema}_open_job" SET waited_on = 1
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
