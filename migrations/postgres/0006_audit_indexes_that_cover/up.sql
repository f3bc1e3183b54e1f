-- The same number of indexes, each now with what a filter on it may also ask for: "this group's denials" then reads one stretch
-- of one index, and no row that is not shown. A request still costs one page in each, and its delivery one fewer: half of the log
-- is by the delivery worker, and nobody asks for that half by its actor.
DROP INDEX audit_log_person;
DROP INDEX audit_log_group;
DROP INDEX audit_log_actor;
CREATE INDEX audit_log_person ON audit_log (person, seq, kind, group_id) WHERE person IS NOT NULL;
CREATE INDEX audit_log_group ON audit_log (group_id, seq, kind) WHERE group_id IS NOT NULL;
-- SQLite uses it for a query that says the same: actor = '…' AND actor <> 'system:deliver'.
CREATE INDEX audit_log_actor ON audit_log (actor, seq, kind, group_id) WHERE actor <> 'system:deliver';
