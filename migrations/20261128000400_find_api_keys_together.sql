-- Many keys are asked for at a time: one call finds them all, and its plan is kept with the connection. `find_api_key` was planned
-- anew in each statement and ran once for each key; nothing calls it once no older gateway runs.
CREATE FUNCTION find_api_keys(key_ids uuid[])
    RETURNS TABLE (id uuid, vendor_id uuid, tenant_id uuid, hash bytea, revoked_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.vendor_id, k.tenant_id, k.hash, k.revoked_at FROM public.api_keys AS k WHERE k.id = ANY (key_ids);
END
$$;
REVOKE ALL ON FUNCTION find_api_keys(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_keys(uuid[]) TO labwire_gateway;
