DELETE FROM "{schema}_attempt";
