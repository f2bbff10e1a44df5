-- The one row that transactions lock whose blocker rows may close a cycle of chains. Nothing changes it.
CREATE TABLE {schema}.cycle_check (
    id boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (id)
);
INSERT INTO {schema}.cycle_check DEFAULT VALUES;
