-- How a live grant stands with today's policy, people and holdings; the end it had before; what a group that left said last;
-- endings that wait for a person; and what people are to be told.
ALTER TABLE grants ADD COLUMN standing TEXT CHECK (standing = 'ending' OR standing = 'flagged');
ALTER TABLE grants ADD COLUMN standing_cause TEXT;
ALTER TABLE grants ADD COLUMN standing_since INTEGER;
ALTER TABLE grants ADD COLUMN standing_seq INTEGER;
ALTER TABLE grants ADD COLUMN full_end INTEGER;
CREATE INDEX grants_not_standing ON grants (group_id) WHERE standing IS NOT NULL AND status = 'active';

ALTER TABLE group_lives ADD COLUMN on_change TEXT CHECK (on_change = 'revoke' OR on_change = 'flag');
ALTER TABLE group_lives ADD COLUMN grace INTEGER;

CREATE TABLE held_endings (
    seq                 INTEGER PRIMARY KEY,
    at                  INTEGER NOT NULL,
    of                  TEXT NOT NULL,
    state               TEXT NOT NULL CHECK (state = 'waiting' OR state = 'confirmed' OR state = 'withdrawn'),
    closed_seq          INTEGER,
    confirmed_policy    TEXT,
    confirmed_directory INTEGER
) STRICT;

CREATE TABLE notices (
    seq      INTEGER NOT NULL,
    audience TEXT NOT NULL CHECK (audience = 'holder' OR audience = 'owners'),
    at       INTEGER NOT NULL,
    person   TEXT NOT NULL,
    group_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    kind     TEXT NOT NULL,
    PRIMARY KEY (seq, audience)
) STRICT;
CREATE INDEX notices_person ON notices (person, seq);
CREATE INDEX notices_group ON notices (group_id, seq);
