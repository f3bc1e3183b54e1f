DROP INDEX audit_log_person;
DROP INDEX audit_log_group;
DROP INDEX audit_log_actor;
CREATE INDEX audit_log_person ON audit_log (person) WHERE person IS NOT NULL;
CREATE INDEX audit_log_group ON audit_log (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX audit_log_actor ON audit_log (actor);
