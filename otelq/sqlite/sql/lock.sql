-- Take the write lock, and nothing else.
UPDATE main."{schema}_open_job" SET position = position WHERE false;
