DROP TABLE session_seen;
DROP TABLE sessions;
DROP TABLE identities;
