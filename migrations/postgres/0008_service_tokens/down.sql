ALTER TABLE tokens DROP COLUMN service;
