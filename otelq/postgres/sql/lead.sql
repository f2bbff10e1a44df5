-- Takes a leadership, or extends it for its holder. Returns it, or no row while another holds it.
--
-- A row that is not to be had is not locked either. So the holder, which skips a locked row like everybody else, finds
-- it locked only when its time is over.
WITH free AS MATERIALIZED (
    SELECT name, holder, token, until
    FROM {schema}.leader
    WHERE name = $2::text AND (until <= {now} OR holder = $3::text)
    FOR UPDATE SKIP LOCKED
),
taken AS (
    UPDATE {schema}.leader AS l
    SET holder = $3::text,
        token = f.token + CASE WHEN f.until > {now} THEN 0 ELSE 1 END,
        until = {now} + ($4::float8 * interval '1 second')
    FROM free AS f
    WHERE l.name = f.name
    RETURNING l.token, l.until
),
added AS (
    INSERT INTO {schema}.leader (name, holder, token, until)
    SELECT $2::text, $3::text, 1, {now} + ($4::float8 * interval '1 second')
    WHERE NOT EXISTS (SELECT 1 FROM {schema}.leader WHERE name = $2::text)
    ON CONFLICT DO NOTHING
    RETURNING token, until
)
SELECT token, until AS leased_until FROM taken
UNION ALL
SELECT token, until FROM added
