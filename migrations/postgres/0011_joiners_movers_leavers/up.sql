-- Removals of people who left go before all others; null means no, as in every row of an earlier version.
ALTER TABLE deliveries ADD COLUMN urgent BOOLEAN;
CREATE INDEX deliveries_urgent ON deliveries (position) WHERE urgent AND state IN ('queued', 'failing');

-- What a leaver had to do with requests that are pending still: votes they gave, and what they filed for others.
CREATE INDEX approvals_person ON approvals (person);
CREATE INDEX requests_pending_filer ON requests (filed_by) WHERE status = 'pending';

-- Membership by a rule that gives it without asking.
ALTER TABLE grants DROP CONSTRAINT grants_provenance_check;
ALTER TABLE grants ADD CONSTRAINT grants_provenance_check CHECK (provenance IN ('request', 'adopted', 'birthright'));

-- Not a projection: when something last came with a token, written at most once a minute and not at all by the log. Being used
-- is no change; an event a call would bury those that are.
CREATE TABLE token_used (token TEXT COLLATE "C" PRIMARY KEY, used_at BIGINT NOT NULL);
