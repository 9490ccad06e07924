-- Roles belong to the cluster, not to the database: another database may have made them already, or be making them now.
DO $$
DECLARE role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['labwire_gateway', 'labwire_ingest', 'labwire_worker'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;

-- The tenants that this transaction acts for; none when it was not said. Set by storage::Database::begin_for.
CREATE FUNCTION current_tenants() RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN string_to_array(nullif(current_setting('labwire.tenants', true), ''), ',')::uuid[];

-- The smallest UUIDv7 of an instant: partition bounds and time filters on primary keys.
CREATE FUNCTION uuid_floor(instant timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN rpad(lpad(to_hex(floor(extract(epoch FROM instant) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
