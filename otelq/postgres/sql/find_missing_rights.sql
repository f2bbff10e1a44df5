-- Finds what the current role may not do in the schema ($1) although a worker needs it: one row for each privilege, with
-- the tables that it is missing on; 'USAGE' is on the schema itself. It reads only the catalog, which every role may
-- read. Nobody but the owner writes to the table of migrations, or writes a row of cycle_check: it is only locked.
WITH namespace AS (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1::text
),
needed (privilege, relation, is_missing) AS (
    SELECT 'USAGE', NULL, NOT has_schema_privilege(namespace.oid, 'USAGE')
    FROM namespace
    UNION ALL
    SELECT wanted.privilege, c.relname::text, NOT has_table_privilege(c.oid, wanted.privilege)
    FROM namespace
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = namespace.oid
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS wanted (privilege)
    WHERE c.relkind = 'r'
        AND (wanted.privilege = 'SELECT' OR c.relname <> 'migration')
        AND (wanted.privilege = ANY (ARRAY['SELECT', 'UPDATE']) OR c.relname <> 'cycle_check')
)
SELECT
    needed.privilege, quote_ident($1::text) AS schema, quote_ident(current_user::text) AS role,
    array_agg(quote_ident(needed.relation) ORDER BY needed.relation) FILTER (WHERE needed.is_missing) AS tables,
    bool_and(needed.is_missing) AS is_all
FROM needed
GROUP BY needed.privilege
HAVING bool_or(needed.is_missing)
ORDER BY array_position(ARRAY['USAGE', 'SELECT', 'UPDATE', 'INSERT', 'DELETE'], needed.privilege)
