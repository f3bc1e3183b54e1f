-- A removal that an adopted membership causes may wait for an admin's confirmation: `held`.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check CHECK (state IN ('held', 'queued', 'done', 'failing'));
ALTER TABLE deliveries ADD CONSTRAINT deliveries_held_removal CHECK (state <> 'held' OR action = 'remove');
DROP INDEX deliveries_open;
CREATE INDEX deliveries_open ON deliveries (position) WHERE state IN ('queued', 'failing');
CREATE INDEX deliveries_held ON deliveries (person, connector, entitlement) WHERE state = 'held';

-- Connectors where an admin let the removals that adoptions cause go.
CREATE TABLE removals_confirmed (connector TEXT COLLATE "C" PRIMARY KEY, seq BIGINT NOT NULL);
