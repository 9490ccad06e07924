CREATE TABLE callback_endpoints (
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    url        text        NOT NULL,
    -- Sealed with the tenant's data key.
    secret     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_at timestamptz,
    CONSTRAINT callback_endpoints_pkey PRIMARY KEY (id),
    CONSTRAINT callback_endpoints_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT callback_endpoints_url_key UNIQUE (tenant_id, url)
);
ALTER TABLE callback_endpoints ENABLE ROW LEVEL SECURITY;
CREATE POLICY callback_endpoints_gateway ON callback_endpoints TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY callback_endpoints_worker ON callback_endpoints FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON callback_endpoints TO labwire_gateway;
GRANT SELECT ON callback_endpoints TO labwire_worker;

CREATE TABLE callback_deliveries (
    id           uuid        NOT NULL,
    tenant_id    uuid        NOT NULL,
    endpoint_id  uuid        NOT NULL,
    message_id   uuid,
    -- The exact body that is signed and posted: ids and states, never patient data.
    payload      text        NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    last_status  integer,
    last_error   text,
    delivered_at timestamptz,
    created_at   timestamptz NOT NULL,
    CONSTRAINT callback_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT callback_deliveries_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id)
) PARTITION BY RANGE (id);
CREATE INDEX callback_deliveries_message ON callback_deliveries (message_id);
ALTER TABLE callback_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY callback_deliveries_gateway ON callback_deliveries FOR SELECT TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY callback_deliveries_worker ON callback_deliveries TO labwire_worker USING (true);
GRANT SELECT ON callback_deliveries TO labwire_gateway;
GRANT SELECT, INSERT, UPDATE ON callback_deliveries TO labwire_worker;
