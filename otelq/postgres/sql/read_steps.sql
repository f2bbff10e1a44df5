-- Reads the types of the jobs of a chain, first to last.
SELECT type FROM {schema}.job WHERE chain_id = $1::uuid ORDER BY position
