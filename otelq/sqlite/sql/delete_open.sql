-- Closed chains have no open row, so that the table, and each claim, stays small however many chains are stored.
DELETE FROM main."{schema}_open_job"
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
