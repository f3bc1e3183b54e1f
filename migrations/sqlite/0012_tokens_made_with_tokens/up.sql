-- The token that a token was made with; it goes with it. None was made in a browser or on the machine.
ALTER TABLE tokens ADD COLUMN made_with TEXT;
CREATE INDEX tokens_made_with ON tokens (made_with) WHERE made_with IS NOT NULL;
