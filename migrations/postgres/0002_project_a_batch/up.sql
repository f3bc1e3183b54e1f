-- Writes the projected rows of a whole batch in one round trip and one prepared statement, whatever its size. It runs with the
-- caller's own rights. Each argument is a JSON array of rows, keyed by column. Answers how many deliveries were reported on.
CREATE FUNCTION ledger_project(filed TEXT, votes TEXT, started TEXT, queued TEXT, reported TEXT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, public AS $$
DECLARE changed BIGINT := 0;
BEGIN
    IF filed <> '[]' THEN
        INSERT INTO public.requests SELECT * FROM json_populate_recordset(NULL::public.requests, filed::json);
    END IF;
    IF votes <> '[]' THEN
        INSERT INTO public.approvals SELECT * FROM json_populate_recordset(NULL::public.approvals, votes::json);
    END IF;
    IF started <> '[]' THEN
        INSERT INTO public.grants SELECT * FROM json_populate_recordset(NULL::public.grants, started::json);
    END IF;
    IF queued <> '[]' THEN
        INSERT INTO public.deliveries SELECT * FROM json_populate_recordset(NULL::public.deliveries, queued::json);
    END IF;
    IF reported <> '[]' THEN
        UPDATE public.deliveries d SET state = r.state, done_at = r.done_at, note = r.note
        FROM json_to_recordset(reported::json) AS r(id TEXT, state TEXT, done_at BIGINT, note TEXT) WHERE d.id = r.id COLLATE "C";
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    RETURN changed;
END $$;
REVOKE ALL ON FUNCTION ledger_project(TEXT, TEXT, TEXT, TEXT, TEXT) FROM PUBLIC;
