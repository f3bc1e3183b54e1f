-- Run by the migrating role, which owns everything. The service's role owns nothing: it reads, writes projections, and
-- appends to the log only through ledger_append (semantics.md, 26). `bandpass db migrate` grants it what it needs.
CREATE TABLE audit_log (
    seq             BIGINT PRIMARY KEY,
    at              BIGINT NOT NULL,
    kind            TEXT COLLATE "C" NOT NULL,
    actor           TEXT COLLATE "C" NOT NULL,
    person          TEXT COLLATE "C",
    group_id        TEXT COLLATE "C",
    request         TEXT COLLATE "C",
    grant_id        TEXT COLLATE "C",
    outcome         TEXT COLLATE "C" NOT NULL,
    rule            TEXT COLLATE "C",
    policy_revision TEXT COLLATE "C",
    command         TEXT COLLATE "C" NOT NULL,
    body            TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_log_person ON audit_log (person, seq) WHERE person IS NOT NULL;
CREATE INDEX audit_log_group ON audit_log (group_id, seq) WHERE group_id IS NOT NULL;
CREATE INDEX audit_log_request ON audit_log (request, seq) WHERE request IS NOT NULL;
CREATE INDEX audit_log_kind ON audit_log (kind, seq);
CREATE INDEX audit_log_actor ON audit_log (actor, seq);

-- Personal text beside the hashed body; may be erased to NULL, nothing else.
CREATE TABLE audit_private (seq BIGINT PRIMARY KEY, salt BYTEA, text TEXT COLLATE "C");

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: no %', TG_TABLE_NAME, TG_OP;
END $$;
CREATE FUNCTION audit_private_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> OLD.seq OR NEW.salt IS NOT NULL OR NEW.text IS NOT NULL THEN
        RAISE EXCEPTION 'audit_private may only be erased';
    END IF;
    RETURN NEW;
END $$;
-- Row triggers do not fire on TRUNCATE, and none fires under session_replication_role = replica unless ENABLE ALWAYS.
CREATE TRIGGER audit_log_immutable BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_private_no_delete BEFORE DELETE ON audit_private FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_private_no_truncate BEFORE TRUNCATE ON audit_private FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_private_erase BEFORE UPDATE ON audit_private FOR EACH ROW EXECUTE FUNCTION audit_private_erase_only();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_immutable;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_no_truncate;
ALTER TABLE audit_private ENABLE ALWAYS TRIGGER audit_private_no_delete;
ALTER TABLE audit_private ENABLE ALWAYS TRIGGER audit_private_no_truncate;
ALTER TABLE audit_private ENABLE ALWAYS TRIGGER audit_private_erase;

-- One row: the head of the log with the RFC 9162 tree over its leaves, and what is in force. The service may read it; it
-- locks and moves it only through the functions below.
CREATE TABLE head (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    seq                BIGINT NOT NULL,
    epoch              BIGINT NOT NULL,
    at                 BIGINT NOT NULL,
    frontier           BYTEA NOT NULL,
    root               BYTEA NOT NULL,
    frozen             BOOLEAN NOT NULL,
    directory_revision BIGINT NOT NULL,
    policy_revision    TEXT COLLATE "C",
    policy_since       BIGINT NOT NULL,
    policy_source      TEXT COLLATE "C" NOT NULL
);
-- SHA-256 of nothing: the root of the empty tree (RFC 9162, 2.1.1).
INSERT INTO head VALUES (1, 0, 1, 0, ''::bytea, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'::bytea, false, 0, NULL, 0, '');

-- Projections: what the events say. Rebuilt and compared by `bandpass audit verify --rebuild`.
CREATE TABLE requests (
    filed_seq       BIGINT PRIMARY KEY,
    id              TEXT COLLATE "C" NOT NULL UNIQUE,
    person          TEXT COLLATE "C" NOT NULL,
    filed_by        TEXT COLLATE "C" NOT NULL,
    group_id        TEXT COLLATE "C" NOT NULL,
    incarnation     BIGINT NOT NULL,
    duration        BIGINT NOT NULL,
    justified       BOOLEAN NOT NULL,
    submitted_at    BIGINT NOT NULL,
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'granted', 'denied', 'withdrawn', 'expired')),
    rule            TEXT COLLATE "C",
    policy_revision TEXT COLLATE "C" NOT NULL,
    stage           INTEGER NOT NULL,
    stage_since     BIGINT NOT NULL,
    deadline        BIGINT,
    decided_at      BIGINT,
    decided_seq     BIGINT
);
CREATE INDEX requests_person ON requests (person, filed_seq);
CREATE INDEX requests_group ON requests (group_id, filed_seq);
CREATE INDEX requests_pending ON requests (person, group_id) WHERE status = 'pending';

CREATE TABLE approvals (
    seq     BIGINT PRIMARY KEY,
    request TEXT COLLATE "C" NOT NULL,
    person  TEXT COLLATE "C" NOT NULL,
    stage   INTEGER NOT NULL,
    at      BIGINT NOT NULL,
    UNIQUE (request, person)
);

CREATE TABLE grants (
    granted_seq  BIGINT PRIMARY KEY,
    id           TEXT COLLATE "C" NOT NULL UNIQUE,
    person       TEXT COLLATE "C" NOT NULL,
    group_id     TEXT COLLATE "C" NOT NULL,
    incarnation  BIGINT NOT NULL,
    request      TEXT COLLATE "C",
    rule         TEXT COLLATE "C" NOT NULL,
    duration     BIGINT NOT NULL,
    provenance   TEXT COLLATE "C" NOT NULL CHECK (provenance IN ('request', 'adopted')),
    entitlements TEXT COLLATE "C" NOT NULL,
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'revoked', 'expired')),
    ended_at     BIGINT,
    ended_seq    BIGINT
);
CREATE UNIQUE INDEX grants_live ON grants (person, group_id) WHERE status = 'active';
CREATE INDEX grants_person ON grants (person, granted_seq);
CREATE INDEX grants_group ON grants (group_id, granted_seq);
CREATE INDEX grants_due ON grants (ends_at) WHERE status = 'active';

CREATE TABLE deliveries (
    position    BIGINT PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    person      TEXT COLLATE "C" NOT NULL,
    account     TEXT COLLATE "C",
    connector   TEXT COLLATE "C" NOT NULL,
    entitlement TEXT COLLATE "C" NOT NULL,
    action      TEXT COLLATE "C" NOT NULL CHECK (action IN ('add', 'remove')),
    grant_id    TEXT COLLATE "C",
    request     TEXT COLLATE "C",
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'done', 'failing')),
    queued_at   BIGINT NOT NULL,
    queued_seq  BIGINT NOT NULL,
    done_at     BIGINT,
    note        TEXT COLLATE "C"
);
CREATE INDEX deliveries_open ON deliveries (position) WHERE state <> 'done';
CREATE INDEX deliveries_grant ON deliveries (grant_id);

CREATE TABLE people (id TEXT COLLATE "C" PRIMARY KEY, data TEXT COLLATE "C", status TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE teams (id TEXT COLLATE "C" PRIMARY KEY, data TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE group_lives (group_id TEXT COLLATE "C" PRIMARY KEY, incarnation BIGINT NOT NULL, live BOOLEAN NOT NULL);
CREATE TABLE blocks (
    person   TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    cause    TEXT COLLATE "C" NOT NULL CHECK (cause IN ('revoked', 'denied')),
    duration BIGINT,
    until    BIGINT,
    seq      BIGINT NOT NULL,
    PRIMARY KEY (person, group_id, cause)
);
CREATE TABLE tokens (
    id            TEXT COLLATE "C" PRIMARY KEY,
    person        TEXT COLLATE "C" NOT NULL,
    secret_sha256 TEXT COLLATE "C" NOT NULL UNIQUE,
    scopes        TEXT COLLATE "C" NOT NULL,
    label         TEXT COLLATE "C" NOT NULL,
    first_admin   BOOLEAN NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);
CREATE INDEX tokens_person ON tokens (person);

-- Policy sets, content-addressed: every set that was ever in force stays.
CREATE TABLE policy_blobs (hash TEXT COLLATE "C" PRIMARY KEY, bytes BYTEA NOT NULL);
CREATE TABLE policy_sets (revision TEXT COLLATE "C" PRIMARY KEY, manifest TEXT COLLATE "C" NOT NULL, timezone TEXT COLLATE "C" NOT NULL);

-- Not a projection: answers repeated for an Idempotency-Key within 24 h.
CREATE TABLE idempotency (scope TEXT COLLATE "C" PRIMARY KEY, body TEXT COLLATE "C" NOT NULL, answer TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL);
CREATE INDEX idempotency_at ON idempotency (at);

-- Locks the head and then reads the clock, so that no batch has a time from before it held the lock.
CREATE FUNCTION ledger_lock(take_lock BOOLEAN) RETURNS TABLE (
    seq BIGINT, epoch BIGINT, at BIGINT, frontier BYTEA, root BYTEA, frozen BOOLEAN, directory_revision BIGINT,
    policy_revision TEXT, policy_since BIGINT, policy_source TEXT, clock BIGINT
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF take_lock THEN
        PERFORM 1 FROM public.head h WHERE h.id = 1 FOR UPDATE;
    END IF;
    RETURN QUERY SELECT h.seq, h.epoch, h.at, h.frontier, h.root, h.frozen, h.directory_revision, h.policy_revision::text,
        h.policy_since, h.policy_source::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM public.head h WHERE h.id = 1;
END $$;

-- Appends a whole batch and moves the head. The caller names the head it built on: another one is an error, so a batch
-- can neither leave a gap nor overwrite. `seq` is not an argument: it follows from the order of the arrays.
CREATE FUNCTION ledger_append(
    on_seq BIGINT, batch_at BIGINT, kinds TEXT[], actors TEXT[], people TEXT[], groups TEXT[], requests TEXT[], grants TEXT[],
    outcomes TEXT[], rules TEXT[], revisions TEXT[], commands TEXT[], bodies TEXT[], salts BYTEA[], texts TEXT[],
    new_frontier BYTEA, new_root BYTEA, new_frozen BOOLEAN, new_directory BIGINT, new_policy TEXT, new_policy_since BIGINT,
    new_policy_source TEXT
) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE h RECORD;
        many INTEGER := cardinality(kinds);
BEGIN
    SELECT * INTO h FROM public.head WHERE id = 1 FOR UPDATE;
    IF h.seq <> on_seq THEN
        RAISE EXCEPTION 'the log has moved from % to %', on_seq, h.seq USING ERRCODE = '40001';
    END IF;
    IF batch_at < h.at OR batch_at > GREATEST(h.at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 5000000) THEN
        RAISE EXCEPTION 'the time of a batch lies between the last one and now';
    END IF;
    INSERT INTO public.audit_log (seq, at, kind, actor, person, group_id, request, grant_id, outcome, rule, policy_revision, command, body)
    SELECT on_seq + i, batch_at, kinds[i], actors[i], people[i], groups[i], requests[i], grants[i], outcomes[i], rules[i], revisions[i],
        commands[i], bodies[i]
    FROM generate_series(1, many) AS i ORDER BY i;
    INSERT INTO public.audit_private (seq, salt, text) SELECT on_seq + i, salts[i], texts[i] FROM generate_series(1, many) AS i ORDER BY i;
    UPDATE public.head SET seq = on_seq + many, at = batch_at, frontier = new_frontier, root = new_root, frozen = new_frozen,
        directory_revision = new_directory, policy_revision = new_policy, policy_since = new_policy_since, policy_source = new_policy_source
    WHERE id = 1;
    RETURN on_seq + many;
END $$;
REVOKE ALL ON FUNCTION ledger_lock(BOOLEAN) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger_append(BIGINT, BIGINT, TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[],
    TEXT[], BYTEA[], TEXT[], BYTEA, BYTEA, BOOLEAN, BIGINT, TEXT, BIGINT, TEXT) FROM PUBLIC;

-- Terminal states never change; what was asked never changes.
CREATE FUNCTION requests_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'pending' OR NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.group_id <> OLD.group_id OR NEW.duration <> OLD.duration THEN
        RAISE EXCEPTION 'a request is immutable and leaves pending once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER requests_terminal BEFORE UPDATE ON requests FOR EACH ROW EXECUTE FUNCTION requests_guard();
CREATE FUNCTION grants_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'active' THEN
        RAISE EXCEPTION 'an ended grant never changes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grants_terminal BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION grants_guard();

-- What the security team queries. Public and versioned: columns are added, never changed.
CREATE VIEW audit_events AS
SELECT l.seq,
       to_char(to_timestamp(l.at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad((l.at % 1000000)::text, 6, '0') || 'Z' AS at,
       l.kind, l.actor, l.person, l.group_id AS "group", l.request, l.grant_id AS "grant", l.outcome, l.rule, l.policy_revision,
       p.text::jsonb ->> 'reason' AS reason,
       p.text::jsonb ->> 'justification' AS justification,
       p.text::jsonb ->> 'comment' AS comment,
       p.text::jsonb ->> 'facts' AS facts,
       l.body
FROM audit_log l LEFT JOIN audit_private p ON p.seq = l.seq;
