-- Empty the table; for tests.
DELETE FROM main."{schema}_leader";
