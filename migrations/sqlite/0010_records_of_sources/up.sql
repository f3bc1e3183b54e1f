-- What each source says of people and teams, where more than files speak; and what changed since a revision of the directory.
CREATE TABLE person_records (source TEXT NOT NULL, person TEXT NOT NULL, data TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (source, person)) STRICT;
CREATE TABLE team_records (source TEXT NOT NULL, team TEXT NOT NULL, data TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (source, team)) STRICT;
CREATE INDEX person_records_seq ON person_records (seq);
CREATE INDEX team_records_seq ON team_records (seq);
CREATE INDEX people_seq ON people (seq);
CREATE INDEX teams_seq ON teams (seq);
-- When each source was heard from, as far as that is recorded.
CREATE TABLE sources_seen (source TEXT PRIMARY KEY, at INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT;
