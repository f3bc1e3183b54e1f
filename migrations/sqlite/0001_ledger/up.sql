-- The append-only event log. `seq` is given by the ledger, never by a sequence: no gaps.
CREATE TABLE audit_log (
    seq             INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    actor           TEXT NOT NULL,
    person          TEXT,
    group_id        TEXT,
    request         TEXT,
    grant_id        TEXT,
    outcome         TEXT NOT NULL,
    rule            TEXT,
    policy_revision TEXT,
    command         TEXT NOT NULL,
    body            TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_person ON audit_log (person) WHERE person IS NOT NULL;
CREATE INDEX audit_log_group ON audit_log (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX audit_log_request ON audit_log (request) WHERE request IS NOT NULL;
CREATE INDEX audit_log_kind ON audit_log (kind);
CREATE INDEX audit_log_actor ON audit_log (actor);

-- Personal text beside the hashed body; may be erased to NULL, nothing else.
CREATE TABLE audit_private (
    seq  INTEGER PRIMARY KEY,
    salt BLOB,
    text TEXT
) STRICT;

-- INSERT OR REPLACE walks past UPDATE and DELETE triggers, so the INSERT itself is guarded: only the next number, never
-- an earlier time, and a row of this number must not exist.
CREATE TRIGGER audit_log_append BEFORE INSERT ON audit_log
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit_log)
  OR NEW.at < (SELECT COALESCE(MAX(at), NEW.at) FROM audit_log WHERE seq = NEW.seq - 1)
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only: the next number, not before the last row'); END;
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only: no UPDATE'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only: no DELETE'); END;
CREATE TRIGGER audit_private_append BEFORE INSERT ON audit_private
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit_private)
BEGIN SELECT RAISE(ABORT, 'audit_private is append-only: one row an event, written with it'); END;
CREATE TRIGGER audit_private_erase_only BEFORE UPDATE ON audit_private
WHEN NEW.seq IS NOT OLD.seq OR NEW.salt IS NOT NULL OR NEW.text IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit_private may only be erased'); END;
CREATE TRIGGER audit_private_no_delete BEFORE DELETE ON audit_private
BEGIN SELECT RAISE(ABORT, 'audit_private is append-only: no DELETE'); END;

-- One row: the head of the log with the RFC 9162 tree over its leaves, and what is in force.
CREATE TABLE head (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    seq                INTEGER NOT NULL,
    epoch              INTEGER NOT NULL,
    at                 INTEGER NOT NULL,
    frontier           BLOB NOT NULL,
    root               BLOB NOT NULL,
    frozen             INTEGER NOT NULL,
    directory_revision INTEGER NOT NULL,
    policy_revision    TEXT,
    policy_since       INTEGER NOT NULL,
    policy_source      TEXT NOT NULL
) STRICT;
CREATE TRIGGER head_one_row BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the head stays'); END;
CREATE TRIGGER head_forward BEFORE UPDATE ON head WHEN NEW.seq < OLD.seq OR NEW.at < OLD.at OR NEW.epoch < OLD.epoch
BEGIN SELECT RAISE(ABORT, 'the head only moves forward'); END;
-- SHA-256 of nothing: the root of the empty tree (RFC 9162, 2.1.1).
INSERT INTO head VALUES (1, 0, 1, 0, x'', x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0, 0, NULL, 0, '');

-- Projections: what the events say. Rebuilt and compared by `bandpass audit verify --rebuild`.
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
    status          TEXT NOT NULL CHECK (status IN ('pending', 'granted', 'denied', 'withdrawn', 'expired')),
    rule            TEXT,
    policy_revision TEXT NOT NULL,
    stage           INTEGER NOT NULL,
    stage_since     INTEGER NOT NULL,
    deadline        INTEGER,
    decided_at      INTEGER,
    decided_seq     INTEGER
) STRICT;
CREATE INDEX requests_person ON requests (person);
CREATE INDEX requests_group ON requests (group_id);
CREATE INDEX requests_pending ON requests (person, group_id) WHERE status = 'pending';
CREATE TRIGGER requests_terminal BEFORE UPDATE ON requests
WHEN OLD.status <> 'pending' OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.group_id <> OLD.group_id OR NEW.duration <> OLD.duration
BEGIN SELECT RAISE(ABORT, 'a request is immutable and leaves pending once'); END;

CREATE TABLE approvals (
    seq     INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    person  TEXT NOT NULL,
    stage   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (request, person)
) STRICT;

CREATE TABLE grants (
    granted_seq  INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    person       TEXT NOT NULL,
    group_id     TEXT NOT NULL,
    incarnation  INTEGER NOT NULL,
    request      TEXT,
    rule         TEXT NOT NULL,
    duration     INTEGER NOT NULL,
    provenance   TEXT NOT NULL CHECK (provenance IN ('request', 'adopted')),
    entitlements TEXT NOT NULL,
    starts_at    INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('active', 'revoked', 'expired')),
    ended_at     INTEGER,
    ended_seq    INTEGER
) STRICT;
CREATE UNIQUE INDEX grants_live ON grants (person, group_id) WHERE status = 'active';
CREATE INDEX grants_person ON grants (person);
CREATE INDEX grants_group ON grants (group_id);
CREATE INDEX grants_due ON grants (ends_at) WHERE status = 'active';
CREATE TRIGGER grants_terminal BEFORE UPDATE ON grants WHEN OLD.status <> 'active'
BEGIN SELECT RAISE(ABORT, 'an ended grant never changes'); END;

CREATE TABLE deliveries (
    position    INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    person      TEXT NOT NULL,
    account     TEXT,
    connector   TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('add', 'remove')),
    grant_id    TEXT,
    request     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'done', 'failing')),
    queued_at   INTEGER NOT NULL,
    queued_seq  INTEGER NOT NULL,
    done_at     INTEGER,
    note        TEXT
) STRICT;
CREATE INDEX deliveries_open ON deliveries (position) WHERE state <> 'done';
CREATE INDEX deliveries_grant ON deliveries (grant_id);

CREATE TABLE people (id TEXT PRIMARY KEY, data TEXT, status TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE teams (id TEXT PRIMARY KEY, data TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE group_lives (group_id TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, live INTEGER NOT NULL) STRICT;
CREATE TABLE blocks (
    person   TEXT NOT NULL,
    group_id TEXT NOT NULL,
    cause    TEXT NOT NULL CHECK (cause IN ('revoked', 'denied')),
    duration INTEGER,
    until    INTEGER,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (person, group_id, cause)
) STRICT;
CREATE TABLE tokens (
    id            TEXT PRIMARY KEY,
    person        TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL,
    label         TEXT NOT NULL,
    first_admin   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT;
CREATE INDEX tokens_person ON tokens (person);

-- Policy sets, content-addressed: every set that was ever in force stays.
CREATE TABLE policy_blobs (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE policy_sets (revision TEXT PRIMARY KEY, manifest TEXT NOT NULL, timezone TEXT NOT NULL) STRICT;

-- Not a projection: answers repeated for an Idempotency-Key within 24 h.
CREATE TABLE idempotency (scope TEXT PRIMARY KEY, body TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX idempotency_at ON idempotency (at);

-- What the security team queries. Public and versioned: columns are added, never changed.
CREATE VIEW audit_events AS
SELECT l.seq,
       strftime('%Y-%m-%dT%H:%M:%S', l.at / 1000000, 'unixepoch') || printf('.%06dZ', l.at % 1000000) AS at,
       l.kind, l.actor, l.person, l.group_id AS "group", l.request, l.grant_id AS "grant", l.outcome, l.rule, l.policy_revision,
       json_extract(p.text, '$.reason') AS reason,
       json_extract(p.text, '$.justification') AS justification,
       json_extract(p.text, '$.comment') AS comment,
       json_extract(p.text, '$.facts') AS facts,
       l.body
FROM audit_log l LEFT JOIN audit_private p ON p.seq = l.seq;
