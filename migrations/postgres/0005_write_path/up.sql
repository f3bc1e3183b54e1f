-- Reading this locks the head's row and then reads the clock, by `ledger_lock`: as a view it is a statement that is prepared once.
CREATE VIEW locked_head AS SELECT * FROM ledger_lock(true);

-- A session keeps the plans of this function. One made while `deliveries` was small would read the whole table for every batch,
-- for as long as the statistics are old.
ALTER FUNCTION ledger_project(TEXT, TEXT, TEXT, TEXT, TEXT) SET enable_seqscan = off;
ALTER FUNCTION ledger_project(TEXT, TEXT, TEXT, TEXT, TEXT) SET enable_hashjoin = off;
ALTER FUNCTION ledger_project(TEXT, TEXT, TEXT, TEXT, TEXT) SET enable_mergejoin = off;
