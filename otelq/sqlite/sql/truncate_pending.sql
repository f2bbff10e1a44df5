-- Empty the table; for tests.
DELETE FROM main."{schema}_pending_unblock";
