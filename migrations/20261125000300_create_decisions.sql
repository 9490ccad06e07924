-- What people decided about messages in doubt and dead letters: kept for good, and counted.
CREATE TABLE decisions (
    id         uuid        NOT NULL,
    -- Null: work of no tenant.
    tenant_id  uuid,
    decision   text        NOT NULL,
    -- The kind of the work, and what it is about.
    kind       text        NOT NULL,
    subject    uuid        NOT NULL,
    -- In words that name no patient.
    reason     text,
    -- A key of the API, or the operator.
    decided_by text        NOT NULL,
    decided_at timestamptz NOT NULL,
    CONSTRAINT decisions_pkey PRIMARY KEY (id),
    CONSTRAINT decisions_decision_check CHECK (decision IN ('sent', 'not_sent', 'replayed', 'discarded')),
    CONSTRAINT decisions_kind_check CHECK (kind IN ('send', 'event', 'callback')),
    CONSTRAINT decisions_reason_check CHECK (length(reason) BETWEEN 1 AND 200)
);
ALTER TABLE decisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY decisions_gateway ON decisions FOR INSERT TO labwire_gateway WITH CHECK (tenant_id = ANY (current_tenants()));
CREATE POLICY decisions_worker ON decisions FOR SELECT TO labwire_worker USING (true);
GRANT INSERT ON decisions TO labwire_gateway;
-- To be counted.
GRANT SELECT (decision, kind) ON decisions TO labwire_worker;
