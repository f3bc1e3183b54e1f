-- A CHECK with `IN` and three values or more makes SQLite build a small table of them for every row that is written: four such
-- tables a granted request. The same checks with `OR` cost nothing. SQLite cannot change a CHECK, so the tables are made anew (deliveries in 0004).
ALTER TABLE requests RENAME TO old_requests;
CREATE TABLE requests (
    filed_seq       INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    person          TEXT NOT NULL,
    filed_by        TEXT NOT NULL,
    group_id        TEXT NOT NULL,
    incarnation     INTEGER NOT NULL,
    duration        INTEGER NOT NULL,
    justified       INTEGER NOT NULL,
    submitted_at    INTEGER NOT NULL,
    status          TEXT NOT NULL CHECK (status = 'pending' OR status = 'granted' OR status = 'denied' OR status = 'withdrawn' OR status = 'expired'),
    rule            TEXT,
    policy_revision TEXT NOT NULL,
    stage           INTEGER NOT NULL,
    stage_since     INTEGER NOT NULL,
    deadline        INTEGER,
    decided_at      INTEGER,
    decided_seq     INTEGER
) STRICT;
INSERT INTO requests SELECT * FROM old_requests;
DROP TABLE old_requests;
CREATE INDEX requests_person ON requests (person);
CREATE INDEX requests_group ON requests (group_id);
CREATE INDEX requests_pending ON requests (person, group_id) WHERE status = 'pending';
CREATE TRIGGER requests_terminal BEFORE UPDATE ON requests
WHEN OLD.status <> 'pending' OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.group_id <> OLD.group_id OR NEW.duration <> OLD.duration
BEGIN SELECT RAISE(ABORT, 'a request is immutable and leaves pending once'); END;

ALTER TABLE grants RENAME TO old_grants;
CREATE TABLE grants (
    granted_seq  INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    person       TEXT NOT NULL,
    group_id     TEXT NOT NULL,
    incarnation  INTEGER NOT NULL,
    request      TEXT,
    rule         TEXT NOT NULL,
    duration     INTEGER NOT NULL,
    provenance   TEXT NOT NULL CHECK (provenance = 'request' OR provenance = 'adopted'),
    entitlements TEXT NOT NULL,
    starts_at    INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    status       TEXT NOT NULL CHECK (status = 'active' OR status = 'revoked' OR status = 'expired'),
    ended_at     INTEGER,
    ended_seq    INTEGER
) STRICT;
INSERT INTO grants SELECT * FROM old_grants;
DROP TABLE old_grants;
CREATE UNIQUE INDEX grants_live ON grants (person, group_id) WHERE status = 'active';
CREATE INDEX grants_person ON grants (person);
CREATE INDEX grants_group ON grants (group_id);
CREATE INDEX grants_due ON grants (ends_at) WHERE status = 'active';
CREATE TRIGGER grants_terminal BEFORE UPDATE ON grants WHEN OLD.status <> 'active'
BEGIN SELECT RAISE(ABORT, 'an ended grant never changes'); END;
