-- What must be done, not before due_at. The only queue that must not lose anything; the broker only hints at it.
CREATE TABLE work (
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    flow        uuid        NOT NULL,
    -- domain::FlowId::partition
    partition   smallint    NOT NULL,
    lane        smallint    NOT NULL,
    subject     uuid        NOT NULL,
    tenant_id   uuid,
    -- What the pair rate goes by, if the kind has one: a keyed hash, never a number.
    pair        bytea,
    state       text        NOT NULL,
    due_at      timestamptz NOT NULL,
    lease_until timestamptz,
    -- Counts claims: the fence against stale deliveries and stale consumers.
    attempt     integer     NOT NULL DEFAULT 0,
    -- Counts the claims that ended in a failure of this work itself: what the retry schedule goes by.
    failures    integer     NOT NULL DEFAULT 0,
    -- Whether the current claim may already have been acted on outside.
    begun       boolean     NOT NULL DEFAULT false,
    hold_scope  text,
    reason      text,
    traceparent text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT work_pkey PRIMARY KEY (id),
    CONSTRAINT work_subject_key UNIQUE (subject, kind),
    CONSTRAINT work_kind_check CHECK (kind IN ('send', 'event', 'callback')),
    CONSTRAINT work_state_check CHECK (state IN ('waiting', 'released', 'claimed', 'held')),
    CONSTRAINT work_lane_check CHECK (lane BETWEEN 0 AND 2),
    CONSTRAINT work_lease_check CHECK ((state IN ('released', 'claimed')) = (lease_until IS NOT NULL)),
    CONSTRAINT work_hold_check CHECK ((state = 'held') = (hold_scope IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX work_waiting ON work (kind, partition, flow, lane, due_at, id) WHERE state = 'waiting';
CREATE INDEX work_leased ON work (kind, partition, flow) WHERE state IN ('released', 'claimed');
CREATE INDEX work_held ON work (hold_scope) WHERE state = 'held';
ALTER TABLE work ENABLE ROW LEVEL SECURITY;
CREATE POLICY work_gateway ON work TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY work_ingest ON work FOR INSERT TO labwire_ingest WITH CHECK (kind = 'event' AND tenant_id IS NULL);
CREATE POLICY work_worker ON work TO labwire_worker USING (true);
GRANT SELECT, INSERT ON work TO labwire_gateway;
-- A repaired credential or template wakes what was held for it.
GRANT UPDATE (state, hold_scope, reason, due_at) ON work TO labwire_gateway;
GRANT INSERT ON work TO labwire_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON work TO labwire_worker;

-- A flow that must not be released: until an instant (a throttle cools it) or until somebody mends the cause (null).
CREATE TABLE flow_pauses (
    kind       text        NOT NULL,
    flow       uuid        NOT NULL,
    scope      text        NOT NULL,
    tenant_id  uuid,
    reason     text        NOT NULL,
    until      timestamptz,
    since      timestamptz NOT NULL,
    CONSTRAINT flow_pauses_pkey PRIMARY KEY (kind, flow, scope),
    CONSTRAINT flow_pauses_kind_check CHECK (kind IN ('send', 'event', 'callback'))
);
CREATE INDEX flow_pauses_scope ON flow_pauses (scope);
ALTER TABLE flow_pauses ENABLE ROW LEVEL SECURITY;
CREATE POLICY flow_pauses_gateway ON flow_pauses TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY flow_pauses_worker ON flow_pauses TO labwire_worker USING (true);
GRANT SELECT, DELETE ON flow_pauses TO labwire_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON flow_pauses TO labwire_worker;

CREATE TABLE dead_letters (
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    flow        uuid        NOT NULL,
    lane        smallint    NOT NULL,
    subject     uuid        NOT NULL,
    tenant_id   uuid,
    pair        bytea,
    attempt     integer     NOT NULL,
    reason      text        NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    died_at     timestamptz NOT NULL,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id)
);
CREATE INDEX dead_letters_kind ON dead_letters (kind, died_at);
ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY dead_letters_gateway ON dead_letters FOR SELECT TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY dead_letters_worker ON dead_letters TO labwire_worker USING (true);
GRANT SELECT ON dead_letters TO labwire_gateway;
GRANT SELECT, INSERT, DELETE ON dead_letters TO labwire_worker;

-- Who releases a partition of a kind: one replica at a time, by lease.
CREATE TABLE partition_owners (
    kind        text        NOT NULL,
    partition   smallint    NOT NULL,
    owner_id    uuid        NOT NULL,
    lease_until timestamptz NOT NULL,
    CONSTRAINT partition_owners_pkey PRIMARY KEY (kind, partition)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON partition_owners TO labwire_worker;

-- The replicas that are alive: how many partitions are a fair share.
CREATE TABLE replicas (
    kind       text        NOT NULL,
    id         uuid        NOT NULL,
    seen_until timestamptz NOT NULL,
    CONSTRAINT replicas_pkey PRIMARY KEY (kind, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON replicas TO labwire_worker;
