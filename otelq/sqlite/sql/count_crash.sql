-- Count the crash of jobs that fail by it; put_back counts that of the others.
UPDATE main."{schema}_open_job" SET crashes = crashes + 1
 WHERE chain_id IN (SELECT value FROM json_each(:chains));
