DELETE FROM main."{schema}_open_job";
