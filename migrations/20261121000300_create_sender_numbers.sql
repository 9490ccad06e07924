CREATE TABLE sender_numbers (
    id                   uuid             NOT NULL,
    tenant_id            uuid             NOT NULL,
    provider             text             NOT NULL,
    -- The provider's own ids: looked up by them, never used as our keys.
    phone_number_id      text             NOT NULL,
    waba_id              text             NOT NULL,
    display_phone_number text             NOT NULL,
    rate_per_second      double precision NOT NULL,
    burst                integer          NOT NULL,
    created_at           timestamptz      NOT NULL,
    CONSTRAINT sender_numbers_pkey PRIMARY KEY (id),
    CONSTRAINT sender_numbers_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT sender_numbers_phone_number_id_key UNIQUE (provider, phone_number_id),
    -- What names a number also names its tenant: a row cannot point to another tenant's number.
    CONSTRAINT sender_numbers_tenant_key UNIQUE (tenant_id, id),
    CONSTRAINT sender_numbers_provider_check CHECK (provider IN ('meta')),
    CONSTRAINT sender_numbers_rate_check CHECK (rate_per_second > 0 AND rate_per_second <= 1000),
    CONSTRAINT sender_numbers_burst_check CHECK (burst BETWEEN 1 AND 1000)
);
ALTER TABLE sender_numbers ENABLE ROW LEVEL SECURITY;
CREATE POLICY sender_numbers_gateway ON sender_numbers TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY sender_numbers_worker ON sender_numbers FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT, UPDATE ON sender_numbers TO labwire_gateway;
GRANT SELECT ON sender_numbers TO labwire_worker;

CREATE TABLE credentials (
    id               uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    sender_number_id uuid        NOT NULL,
    access_token     bytea       NOT NULL,
    last_four        text        NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT credentials_pkey PRIMARY KEY (id),
    CONSTRAINT credentials_sender_number_fkey FOREIGN KEY (tenant_id, sender_number_id) REFERENCES sender_numbers (tenant_id, id),
    CONSTRAINT credentials_sender_number_key UNIQUE (sender_number_id)
);
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY credentials_gateway ON credentials TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY credentials_worker ON credentials FOR SELECT TO labwire_worker USING (true);
-- Write-only for the API: the gateway may not read a token back.
GRANT INSERT, UPDATE ON credentials TO labwire_gateway;
GRANT SELECT (id, tenant_id, sender_number_id, last_four, updated_at) ON credentials TO labwire_gateway;
GRANT SELECT ON credentials TO labwire_worker;

CREATE TABLE templates (
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    name       text        NOT NULL,
    -- The provider's language code, such as en_US.
    language   text        NOT NULL,
    -- Names of the body's parameters, in order.
    parameters text[]      NOT NULL,
    header     text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT templates_pkey PRIMARY KEY (id),
    CONSTRAINT templates_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT templates_name_key UNIQUE (tenant_id, name, language),
    CONSTRAINT templates_header_check CHECK (header IN ('document', 'image', 'none'))
);
ALTER TABLE templates ENABLE ROW LEVEL SECURITY;
CREATE POLICY templates_gateway ON templates TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY templates_worker ON templates FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON templates TO labwire_gateway;
GRANT SELECT ON templates TO labwire_worker;
