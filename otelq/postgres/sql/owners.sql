-- Who could have code of theirs run by a client of this schema: the owners of the schema, of its tables, and of the
-- functions of their triggers, without those whom the current role trusts anyway. These are itself and the roles that
-- it is in, the database's owner, and superusers. Whether a superuser is in a role is not asked of pg_has_role, which
-- says yes to everything.
WITH RECURSIVE mine (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
    UNION
    SELECT m.roleid FROM mine JOIN pg_catalog.pg_auth_members AS m ON m.member = mine.oid
),
place AS (
    SELECT n.oid, n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1::text
),
held AS (
    SELECT c.oid, c.relowner
    FROM place
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = place.oid
    WHERE c.relname = ANY ($2::text[])
),
owned (what, owner) AS (
    SELECT 'schema', nspowner FROM place
    UNION
    SELECT 'table', relowner FROM held
    UNION
    SELECT 'trigger', f.proowner
    FROM held
    JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = held.oid AND NOT t.tgisinternal
    JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
)
SELECT
    owned.what, r.rolname::text AS owner, current_user::text AS me,
    (SELECT s.rolsuper FROM pg_catalog.pg_roles AS s WHERE s.rolname = current_user) AS is_superuser
FROM owned
JOIN pg_catalog.pg_roles AS r ON r.oid = owned.owner
WHERE NOT r.rolsuper AND r.rolname <> 'pg_database_owner' AND NOT r.oid = ANY (SELECT mine.oid FROM mine)
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = current_database() AND d.datdba = r.oid
    )
ORDER BY owned.what, r.rolname
