DROP TABLE sources_seen;
DROP INDEX teams_seq;
DROP INDEX people_seq;
DROP TABLE team_records;
DROP TABLE person_records;
