CREATE TABLE vendors (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT vendors_pkey PRIMARY KEY (id)
);

CREATE TABLE tenants (
    id                 uuid        NOT NULL,
    vendor_id          uuid        NOT NULL,
    name               text        NOT NULL,
    contact_email      text        NOT NULL,
    -- ISO 3166 alpha-2: how national phone numbers are read.
    region             text        NOT NULL,
    language           text        NOT NULL,
    -- What becomes of a send whose answer was never seen and of which nothing is heard.
    unconfirmed_policy text        NOT NULL DEFAULT 'park',
    created_at         timestamptz NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_vendor_fkey FOREIGN KEY (vendor_id) REFERENCES vendors (id),
    CONSTRAINT tenants_region_check CHECK (region ~ '^[A-Z]{2}$'),
    CONSTRAINT tenants_language_check CHECK (language IN ('en', 'hi')),
    CONSTRAINT tenants_unconfirmed_policy_check CHECK (unconfirmed_policy IN ('park', 'resend'))
);
CREATE INDEX tenants_vendor ON tenants (vendor_id);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants_gateway ON tenants TO labwire_gateway USING (id = ANY (current_tenants()));
CREATE POLICY tenants_worker ON tenants FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT, UPDATE ON tenants TO labwire_gateway;
GRANT SELECT ON tenants TO labwire_worker;

-- Data keys, wrapped by a master key of the key ring. The nil owner is the platform: raw events, app secrets.
CREATE TABLE data_keys (
    owner_id   uuid        NOT NULL,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT data_keys_pkey PRIMARY KEY (owner_id)
);
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY data_keys_gateway ON data_keys TO labwire_gateway USING (owner_id = ANY (current_tenants()));
CREATE POLICY data_keys_ingest ON data_keys FOR SELECT TO labwire_ingest
    USING (owner_id = '00000000-0000-0000-0000-000000000000');
CREATE POLICY data_keys_worker ON data_keys FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT ON data_keys TO labwire_gateway;
GRANT SELECT ON data_keys TO labwire_ingest, labwire_worker;

-- A key acts for one vendor (registers labs) or for one lab.
CREATE TABLE api_keys (
    id         uuid        NOT NULL,
    vendor_id  uuid        NOT NULL,
    tenant_id  uuid,
    hash       bytea       NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_vendor_fkey FOREIGN KEY (vendor_id) REFERENCES vendors (id),
    CONSTRAINT api_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32)
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY api_keys_gateway ON api_keys TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
GRANT SELECT, INSERT, UPDATE ON api_keys TO labwire_gateway;

-- Who a key speaks for is asked before any tenant is known, so it cannot go through the policy above.
CREATE FUNCTION find_api_key(key_id uuid)
    RETURNS TABLE (vendor_id uuid, tenant_id uuid, hash bytea, revoked_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT k.vendor_id, k.tenant_id, k.hash, k.revoked_at FROM public.api_keys AS k WHERE k.id = key_id $$;
REVOKE ALL ON FUNCTION find_api_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(uuid) TO labwire_gateway;
