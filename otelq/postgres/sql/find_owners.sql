-- Finds roles that could have a client of this schema run their code: the owners of the schema, of its tables, and of
-- the functions of their triggers. Left out are roles that the current one trusts anyway: itself and the roles that it
-- is in, the database's owner, and superusers. pg_has_role cannot answer this: it says yes to all for a superuser.
WITH RECURSIVE trusted (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
    UNION
    SELECT m.roleid FROM trusted JOIN pg_catalog.pg_auth_members AS m ON m.member = trusted.oid
),
namespace AS (
    SELECT n.oid, n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1::text
),
tables AS (
    SELECT c.oid, c.relowner
    FROM namespace
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = namespace.oid
    WHERE c.relname = ANY ($2::text[])
),
owned (what, owner) AS (
    SELECT 'schema', nspowner FROM namespace
    UNION
    SELECT 'table', relowner FROM tables
    UNION
    SELECT 'trigger', f.proowner
    FROM tables
    JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tables.oid AND NOT t.tgisinternal
    JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
)
SELECT
    owned.what, r.rolname::text AS owner, current_user::text AS me,
    (SELECT s.rolsuper FROM pg_catalog.pg_roles AS s WHERE s.rolname = current_user) AS is_superuser
FROM owned
JOIN pg_catalog.pg_roles AS r ON r.oid = owned.owner
WHERE NOT r.rolsuper AND r.rolname <> 'pg_database_owner' AND NOT r.oid = ANY (SELECT trusted.oid FROM trusted)
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = current_database() AND d.datdba = r.oid
    )
ORDER BY owned.what, r.rolname
