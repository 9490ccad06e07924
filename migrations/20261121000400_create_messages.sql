-- Content: written once, partitioned by the instant inside its UUIDv7 key.
CREATE TABLE messages (
    id               uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    sender_number_id uuid        NOT NULL,
    lane             smallint    NOT NULL,
    -- Sealed with the tenant's data key.
    recipient        bytea       NOT NULL,
    content          bytea       NOT NULL,
    -- Keyed hash of the phone number, for lookups.
    recipient_hash   bytea       NOT NULL,
    attachment_id    uuid,
    expires_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_sender_number_fkey FOREIGN KEY (tenant_id, sender_number_id) REFERENCES sender_numbers (tenant_id, id),
    CONSTRAINT messages_lane_check CHECK (lane BETWEEN 0 AND 2)
) PARTITION BY RANGE (id);
CREATE INDEX messages_tenant ON messages (tenant_id, id DESC);
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY messages_gateway ON messages TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY messages_worker ON messages FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT ON messages TO labwire_gateway;
GRANT SELECT ON messages TO labwire_worker;

-- What changes about a message: small rows, updated often.
CREATE TABLE message_state (
    message_id     uuid        NOT NULL,
    tenant_id      uuid        NOT NULL,
    state          text        NOT NULL,
    -- What holds without any report from the provider (domain::Delivery::base).
    base           text        NOT NULL,
    wamid          text,
    attempts       integer     NOT NULL DEFAULT 0,
    resends        integer     NOT NULL DEFAULT 0,
    sent_at        timestamptz,
    delivered_at   timestamptz,
    read_at        timestamptz,
    failed_at      timestamptz,
    failure        jsonb,
    unconfirmed_at timestamptz,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT message_state_pkey PRIMARY KEY (message_id),
    CONSTRAINT message_state_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT message_state_wamid_key UNIQUE (wamid),
    CONSTRAINT message_state_state_check CHECK (state IN
        ('queued', 'unconfirmed', 'sent', 'delivered', 'read', 'failed', 'expired', 'cancelled')),
    CONSTRAINT message_state_base_check CHECK (base IN ('queued', 'unconfirmed', 'expired', 'cancelled'))
) WITH (fillfactor = 70);
CREATE INDEX message_state_tenant ON message_state (tenant_id, message_id DESC);
ALTER TABLE message_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY message_state_gateway ON message_state TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY message_state_worker ON message_state TO labwire_worker USING (true);
GRANT SELECT, INSERT ON message_state TO labwire_gateway;
GRANT SELECT, UPDATE ON message_state TO labwire_worker;

CREATE TABLE timeline (
    message_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    at         timestamptz NOT NULL,
    kind       text        NOT NULL,
    -- Ids, codes and counts: never patient data.
    detail     jsonb       NOT NULL,
    CONSTRAINT timeline_pkey PRIMARY KEY (message_id, id)
) PARTITION BY RANGE (message_id);
ALTER TABLE timeline ENABLE ROW LEVEL SECURITY;
CREATE POLICY timeline_gateway ON timeline TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY timeline_worker ON timeline TO labwire_worker USING (true);
GRANT SELECT, INSERT ON timeline TO labwire_gateway;
GRANT SELECT, INSERT ON timeline TO labwire_worker;

-- Not partitioned: the key must be unique over time. Retention deletes by age.
CREATE TABLE idempotency_keys (
    tenant_id   uuid        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    message_id  uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, key),
    CONSTRAINT idempotency_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY idempotency_keys_gateway ON idempotency_keys TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY idempotency_keys_worker ON idempotency_keys TO labwire_worker USING (true);
GRANT SELECT, INSERT ON idempotency_keys TO labwire_gateway;
GRANT SELECT, DELETE ON idempotency_keys TO labwire_worker;
