-- The program that a token was made for; none is a person's own.
ALTER TABLE tokens ADD COLUMN service TEXT;
