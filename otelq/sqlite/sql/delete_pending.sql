-- Delete the notes about dependents that wait to be unblocked.
DELETE FROM main."{schema}_pending_unblock"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
