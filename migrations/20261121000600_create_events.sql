-- A provider's app, named in the webhook path; its secret verifies what arrives there.
CREATE TABLE webhook_apps (
    key          text        NOT NULL,
    -- Sealed with the platform's data key.
    app_secret   bytea       NOT NULL,
    verify_token bytea       NOT NULL,
    -- Whose app it is: it speaks of that tenant's numbers only. Null is the platform's, which speaks of all.
    tenant_id    uuid,
    created_at   timestamptz NOT NULL,
    CONSTRAINT webhook_apps_pkey PRIMARY KEY (key),
    CONSTRAINT webhook_apps_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT webhook_apps_key_check CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);
ALTER TABLE webhook_apps ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_apps_ingest ON webhook_apps FOR SELECT TO labwire_ingest USING (true);
CREATE POLICY webhook_apps_worker ON webhook_apps FOR SELECT TO labwire_worker USING (true);
GRANT SELECT ON webhook_apps TO labwire_ingest;
GRANT SELECT (key, tenant_id) ON webhook_apps TO labwire_worker;

-- Raw webhook deliveries, append-only: no service may update or delete. The body, sealed, opens to the exact bytes received.
CREATE TABLE events (
    id          uuid        NOT NULL,
    app_key     text        NOT NULL,
    headers     jsonb       NOT NULL,
    body        bytea       NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id)
) PARTITION BY RANGE (id);
GRANT INSERT ON events TO labwire_ingest;
GRANT SELECT ON events TO labwire_worker;

-- What patients write to us.
CREATE TABLE inbound_messages (
    id               uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    sender_number_id uuid        NOT NULL,
    wamid            text        NOT NULL,
    kind             text        NOT NULL,
    -- Keyed hash of the phone number or, without one, of the business-scoped user id.
    contact_hash     bytea       NOT NULL,
    -- Sealed with the tenant's data key.
    content          bytea       NOT NULL,
    sent_at          timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    CONSTRAINT inbound_messages_pkey PRIMARY KEY (id),
    CONSTRAINT inbound_messages_sender_number_fkey FOREIGN KEY (tenant_id, sender_number_id) REFERENCES sender_numbers (tenant_id, id),
    CONSTRAINT inbound_messages_wamid_key UNIQUE (sender_number_id, wamid)
);
CREATE INDEX inbound_messages_tenant ON inbound_messages (tenant_id, id DESC);
ALTER TABLE inbound_messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY inbound_messages_gateway ON inbound_messages FOR SELECT TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY inbound_messages_worker ON inbound_messages TO labwire_worker USING (true);
GRANT SELECT ON inbound_messages TO labwire_gateway;
GRANT SELECT, INSERT ON inbound_messages TO labwire_worker;

-- The 24 hours in which free-form messages are allowed, from the contact's last message.
CREATE TABLE conversation_windows (
    sender_number_id uuid        NOT NULL,
    contact_hash     bytea       NOT NULL,
    tenant_id        uuid        NOT NULL,
    expires_at       timestamptz NOT NULL,
    CONSTRAINT conversation_windows_pkey PRIMARY KEY (sender_number_id, contact_hash),
    CONSTRAINT conversation_windows_sender_number_fkey FOREIGN KEY (tenant_id, sender_number_id) REFERENCES sender_numbers (tenant_id, id)
);
CREATE INDEX conversation_windows_expires ON conversation_windows (expires_at);
ALTER TABLE conversation_windows ENABLE ROW LEVEL SECURITY;
CREATE POLICY conversation_windows_gateway ON conversation_windows FOR SELECT TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY conversation_windows_worker ON conversation_windows TO labwire_worker USING (true);
GRANT SELECT ON conversation_windows TO labwire_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON conversation_windows TO labwire_worker;

-- Status reports that came before the send was recorded and carried no id of ours: joined when it is.
CREATE TABLE unmatched_statuses (
    id          uuid        NOT NULL,
    wamid       text        NOT NULL,
    status      text        NOT NULL,
    at          timestamptz NOT NULL,
    cause       jsonb,
    received_at timestamptz NOT NULL,
    CONSTRAINT unmatched_statuses_pkey PRIMARY KEY (id),
    CONSTRAINT unmatched_statuses_report_key UNIQUE (wamid, status, at)
);
CREATE INDEX unmatched_statuses_received ON unmatched_statuses (received_at);
GRANT SELECT, INSERT, DELETE ON unmatched_statuses TO labwire_worker;
