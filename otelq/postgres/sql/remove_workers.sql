-- Removes workers that have stopped.
DELETE FROM {schema}.worker
WHERE id = ANY ($1::text[])
