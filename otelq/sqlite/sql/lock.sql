-- Take the write lock of the file, and change nothing.
UPDATE main."{schema}_open_job" SET position = position WHERE false;
