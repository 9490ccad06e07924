-- No plan of the pipeline depends on statistics (ADR 18), and to gather them of tables that grow by the second took a twentieth of the machine;
-- each time, every prepared statement was planned anew besides. Vacuum goes on as before.
ALTER TABLE work SET (autovacuum_analyze_threshold = 2000000000);
ALTER TABLE message_state SET (autovacuum_analyze_threshold = 2000000000);
ALTER TABLE idempotency_keys SET (autovacuum_analyze_threshold = 2000000000);
ALTER TABLE partition_owners SET (autovacuum_analyze_threshold = 2000000000);
ALTER TABLE replicas SET (autovacuum_analyze_threshold = 2000000000);
ALTER TABLE pauses SET (autovacuum_analyze_threshold = 2000000000);

-- How a partition is kept; what is set for its table does not reach it.
CREATE FUNCTION settle_partition(child text) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    EXECUTE format('ALTER TABLE public.%I SET (autovacuum_analyze_threshold = 2000000000)', child);
    -- Each row is updated once, soon after it was written: beside itself, and no index need know.
    IF child LIKE 'callback_deliveries%' THEN
        EXECUTE format('ALTER TABLE public.%I SET (fillfactor = 70)', child);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION settle_partition(text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION ensure_partitions(ahead_until timestamptz) RETURNS integer
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
                PERFORM settle_partition(child);
                created := created + 1;
            END IF;
            month := date_trunc('month', month + interval '32 days', 'UTC');
        END LOOP;
    END LOOP;
    RETURN created;
END
$$;

SELECT settle_partition(c.relname)
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_class AS p ON p.oid = i.inhparent
WHERE p.relname IN ('messages', 'timeline', 'events', 'callback_deliveries') AND p.relnamespace = 'public'::regnamespace;
