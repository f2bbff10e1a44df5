DELETE FROM "{schema}_outcome";
