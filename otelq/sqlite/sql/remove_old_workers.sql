-- Remove workers that were not seen for long, or by another clock. The table has one row for each live worker.
DELETE FROM main."{schema}_worker" WHERE seen_at < :oldest OR seen_at > :newest;
