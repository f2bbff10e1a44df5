-- Remove workers that have stopped.
DELETE FROM main."{schema}_worker" WHERE id IN (SELECT value FROM json_each(:ids));
