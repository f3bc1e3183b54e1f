-- How a live grant stands with today's policy, people and holdings; the end it had before; what a group that left said last;
-- endings that wait for a person; and what people are to be told.
ALTER TABLE grants ADD COLUMN standing TEXT COLLATE "C" CHECK (standing IN ('ending', 'flagged'));
ALTER TABLE grants ADD COLUMN standing_cause TEXT COLLATE "C";
ALTER TABLE grants ADD COLUMN standing_since BIGINT;
ALTER TABLE grants ADD COLUMN standing_seq BIGINT;
ALTER TABLE grants ADD COLUMN full_end BIGINT;
CREATE INDEX grants_not_standing ON grants (group_id) WHERE standing IS NOT NULL AND status = 'active';

ALTER TABLE group_lives ADD COLUMN on_change TEXT COLLATE "C" CHECK (on_change IN ('revoke', 'flag'));
ALTER TABLE group_lives ADD COLUMN grace BIGINT;

CREATE TABLE held_endings (
    seq                 BIGINT PRIMARY KEY,
    at                  BIGINT NOT NULL,
    of                  TEXT COLLATE "C" NOT NULL,
    state               TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'confirmed', 'withdrawn')),
    closed_seq          BIGINT,
    confirmed_policy    TEXT COLLATE "C",
    confirmed_directory BIGINT
);

CREATE TABLE notices (
    seq      BIGINT NOT NULL,
    audience TEXT COLLATE "C" NOT NULL CHECK (audience IN ('holder', 'owners')),
    at       BIGINT NOT NULL,
    person   TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    grant_id TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (seq, audience)
);
CREATE INDEX notices_person ON notices (person, seq);
CREATE INDEX notices_group ON notices (group_id, seq);
