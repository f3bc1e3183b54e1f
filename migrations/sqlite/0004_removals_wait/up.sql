-- A removal that an adopted membership causes may wait for an admin's confirmation: `held`. SQLite cannot change a CHECK, so
-- the table is copied, row by row as it is; its checks name no lists (0002 says why).
CREATE TABLE deliveries_anew (
    position    INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    person      TEXT NOT NULL,
    account     TEXT,
    connector   TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    action      TEXT NOT NULL CHECK (action = 'add' OR action = 'remove'),
    grant_id    TEXT,
    request     TEXT,
    state       TEXT NOT NULL CHECK (state = 'held' OR state = 'queued' OR state = 'done' OR state = 'failing'),
    queued_at   INTEGER NOT NULL,
    queued_seq  INTEGER NOT NULL,
    done_at     INTEGER,
    note        TEXT,
    CHECK (state <> 'held' OR action = 'remove')
) STRICT;
INSERT INTO deliveries_anew SELECT position, id, person, account, connector, entitlement, action, grant_id, request, state, queued_at, queued_seq, done_at, note FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_anew RENAME TO deliveries;
CREATE INDEX deliveries_open ON deliveries (position) WHERE state IN ('queued', 'failing');
CREATE INDEX deliveries_held ON deliveries (person, connector, entitlement) WHERE state = 'held';
CREATE INDEX deliveries_grant ON deliveries (grant_id);

-- Connectors where an admin let the removals that adoptions cause go.
CREATE TABLE removals_confirmed (connector TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
