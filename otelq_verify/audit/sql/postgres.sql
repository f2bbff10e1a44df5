-- What happened to rows. The function has the rights of its owner, so that those who change rows need none here.
CREATE TABLE {schema}.audit (
    seq  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   timestamptz NOT NULL,
    tx   bigint      NOT NULL,
    name text        NOT NULL,
    op   text        NOT NULL,
    old  jsonb,
    new  jsonb
);

CREATE FUNCTION {schema}.record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO {schema}.audit (at, tx, name, op, old, new)
    VALUES (
        statement_timestamp(), pg_current_xact_id()::text::bigint, TG_ARGV[0], TG_OP,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END
$$;
