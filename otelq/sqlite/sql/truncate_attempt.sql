DELETE FROM main."{schema}_attempt";
