-- Who a subject of an issuer is, and the sessions of browsers. Both follow from the log.
CREATE TABLE identities (
    issuer    TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL,
    person    TEXT COLLATE "C" NOT NULL,
    claim     TEXT COLLATE "C" NOT NULL,
    linked_at BIGINT NOT NULL,
    seq       BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (issuer, person)
);

CREATE TABLE sessions (
    id             TEXT COLLATE "C" PRIMARY KEY,
    person         TEXT COLLATE "C" NOT NULL,
    secret_sha256  TEXT COLLATE "C" NOT NULL UNIQUE,
    issuer         TEXT COLLATE "C" NOT NULL,
    subject        TEXT COLLATE "C" NOT NULL,
    sid            TEXT COLLATE "C",
    attempt_sha256 TEXT COLLATE "C" NOT NULL UNIQUE,
    agent          TEXT COLLATE "C",
    started_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    ended_because  TEXT COLLATE "C"
);
CREATE INDEX sessions_live_person ON sessions (person) WHERE ended_at IS NULL;
CREATE INDEX sessions_live_subject ON sessions (issuer, subject) WHERE ended_at IS NULL;

-- Not a projection: when something last came from a session, written at most once a minute and not at all by the log. Being
-- looked at is no change; an event a page view would bury those that are.
CREATE TABLE session_seen (session TEXT COLLATE "C" PRIMARY KEY, seen_at BIGINT NOT NULL);
