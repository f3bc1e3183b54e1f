-- What each source says of people and teams, where more than files speak; and what changed since a revision of the directory.
CREATE TABLE person_records (
    source TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    data   TEXT COLLATE "C" NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (source, person)
);
CREATE TABLE team_records (
    source TEXT COLLATE "C" NOT NULL,
    team   TEXT COLLATE "C" NOT NULL,
    data   TEXT COLLATE "C" NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (source, team)
);
CREATE INDEX person_records_seq ON person_records (seq);
CREATE INDEX team_records_seq ON team_records (seq);
CREATE INDEX people_seq ON people (seq);
CREATE INDEX teams_seq ON teams (seq);
-- When each source was heard from, as far as that is recorded.
CREATE TABLE sources_seen (source TEXT COLLATE "C" PRIMARY KEY, at BIGINT NOT NULL, seq BIGINT NOT NULL);
