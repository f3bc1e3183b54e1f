-- Who a subject of an issuer is, and the sessions of browsers. Both follow from the log.
CREATE TABLE identities (
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    person    TEXT NOT NULL,
    claim     TEXT NOT NULL,
    linked_at INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (issuer, person)
) STRICT;

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY NOT NULL,
    person         TEXT NOT NULL,
    secret_sha256  TEXT NOT NULL UNIQUE,
    issuer         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    sid            TEXT,
    attempt_sha256 TEXT NOT NULL UNIQUE,
    agent          TEXT,
    started_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_because  TEXT
) STRICT;
CREATE INDEX sessions_live_person ON sessions (person) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_subject ON sessions (issuer, subject) WHERE ended_at IS NULL;

-- Not a projection: when something last came from a session, written at most once a minute and not at all by the log. Being
-- looked at is no change; an event a page view would bury those that are.
CREATE TABLE session_seen (session TEXT PRIMARY KEY NOT NULL, seen_at INTEGER NOT NULL) STRICT;
