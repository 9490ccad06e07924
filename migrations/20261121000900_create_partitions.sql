-- Monthly partitions of every table that is partitioned by a UUIDv7 key. The functions run as the owner,
-- because attaching and dropping a partition needs that; they take no names from the caller. Months are those of UTC,
-- whatever time zone the caller's session has.
CREATE FUNCTION ensure_partitions(ahead_until timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    parent  text;
    month   timestamptz;
    child   text;
    created integer := 0;
BEGIN
    -- Two callers at once would trip over the same name.
    PERFORM pg_advisory_xact_lock(hashtext('labwire.partitions'));
    FOREACH parent IN ARRAY ARRAY['messages', 'timeline', 'events', 'callback_deliveries'] LOOP
        -- From the month before this one: a clock that is behind still finds its partition.
        month := date_trunc('month', now(), 'UTC') - interval '1 month';
        WHILE month <= ahead_until LOOP
            child := parent || to_char(month AT TIME ZONE 'UTC', '"_y"YYYY"m"MM');
            IF to_regclass('public.' || child) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                    child, parent, uuid_floor(month), uuid_floor(date_trunc('month', month + interval '32 days', 'UTC')));
                created := created + 1;
            END IF;
            month := date_trunc('month', month + interval '32 days', 'UTC');
        END LOOP;
    END LOOP;
    RETURN created;
END
$$;

CREATE FUNCTION drop_partitions(before timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    child   record;
    dropped integer := 0;
BEGIN
    -- A month at the very least: a wrong setting must not empty the house.
    IF before > now() - interval '31 days' THEN
        RAISE EXCEPTION 'retention must keep at least 31 days' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('labwire.partitions'));
    FOR child IN
        SELECT c.relname AS name
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        JOIN pg_class AS p ON p.oid = i.inhparent
        JOIN pg_namespace AS n ON n.oid = p.relnamespace AND n.nspname = 'public'
        WHERE p.relname IN ('messages', 'timeline', 'events', 'callback_deliveries')
          AND c.relname ~ '_y[0-9]{4}m[0-9]{2}$'
          -- The whole month lies before the bound.
          AND to_timestamp(right(c.relname, 7) || ' +00', 'YYYY"m"MM TZH') + interval '1 month' <= before
    LOOP
        EXECUTE format('DROP TABLE public.%I', child.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

REVOKE ALL ON FUNCTION ensure_partitions(timestamptz), drop_partitions(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(timestamptz), drop_partitions(timestamptz) TO labwire_worker;
GRANT DELETE ON message_state TO labwire_worker;

SELECT ensure_partitions(now() + interval '2 months');
