DELETE FROM main."{schema}_job";
