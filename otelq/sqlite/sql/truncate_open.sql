DELETE FROM "{schema}_open_job";
