DELETE FROM main."{schema}_outcome";
