-- Removals of people who left go before all others; null means no, as in every row of an earlier version.
ALTER TABLE deliveries ADD COLUMN urgent INTEGER;
CREATE INDEX deliveries_urgent ON deliveries (position) WHERE urgent AND state IN ('queued', 'failing');

-- What a leaver had to do with requests that are pending still: votes they gave, and what they filed for others.
CREATE INDEX approvals_person ON approvals (person);
CREATE INDEX requests_pending_filer ON requests (filed_by) WHERE status = 'pending';

-- Membership by a rule that gives it without asking: `birthright`. SQLite cannot change a CHECK, so the table is copied, row by
-- row as it is; its checks name no lists (0002 says why).
CREATE TABLE grants_anew (
    granted_seq    INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    person         TEXT NOT NULL,
    group_id       TEXT NOT NULL,
    incarnation    INTEGER NOT NULL,
    request        TEXT,
    rule           TEXT NOT NULL,
    duration       INTEGER NOT NULL,
    provenance     TEXT NOT NULL CHECK (provenance = 'request' OR provenance = 'adopted' OR provenance = 'birthright'),
    entitlements   TEXT NOT NULL,
    starts_at      INTEGER NOT NULL,
    ends_at        INTEGER NOT NULL,
    status         TEXT NOT NULL CHECK (status = 'active' OR status = 'revoked' OR status = 'expired'),
    ended_at       INTEGER,
    ended_seq      INTEGER,
    standing       TEXT CHECK (standing = 'ending' OR standing = 'flagged'),
    standing_cause TEXT,
    standing_since INTEGER,
    standing_seq   INTEGER,
    full_end       INTEGER
) STRICT;
INSERT INTO grants_anew SELECT granted_seq, id, person, group_id, incarnation, request, rule, duration, provenance, entitlements, starts_at, ends_at, status,
    ended_at, ended_seq, standing, standing_cause, standing_since, standing_seq, full_end FROM grants;
DROP TABLE grants;
ALTER TABLE grants_anew RENAME TO grants;
CREATE UNIQUE INDEX grants_live ON grants (person, group_id) WHERE status = 'active';
CREATE INDEX grants_person ON grants (person);
CREATE INDEX grants_group ON grants (group_id);
CREATE INDEX grants_due ON grants (ends_at) WHERE status = 'active';
CREATE INDEX grants_not_standing ON grants (group_id) WHERE standing IS NOT NULL AND status = 'active';
CREATE TRIGGER grants_terminal BEFORE UPDATE ON grants WHEN OLD.status <> 'active'
BEGIN SELECT RAISE(ABORT, 'an ended grant never changes'); END;

-- Not a projection: when something last came with a token, written at most once a minute and not at all by the log. Being used
-- is no change; an event a call would bury those that are.
CREATE TABLE token_used (token TEXT PRIMARY KEY, used_at INTEGER NOT NULL) STRICT;
