DELETE FROM "{schema}_job";
