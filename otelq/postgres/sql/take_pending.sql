-- Takes some of the closed chains that keep others waiting; what is left over is put back before the commit.
DELETE FROM {schema}.pending_unblock
WHERE blocker_id = ANY (
    ARRAY(
        SELECT blocker_id
        FROM {schema}.pending_unblock
        ORDER BY since, blocker_id
        LIMIT $1::integer
        FOR UPDATE SKIP LOCKED
    )
)
RETURNING blocker_id::text
