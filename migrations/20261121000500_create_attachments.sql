CREATE TABLE attachments (
    id         uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    media_type text        NOT NULL,
    size_bytes bigint      NOT NULL,
    sha256     bytea       NOT NULL,
    -- Sealed with the tenant's data key.
    filename   bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT attachments_pkey PRIMARY KEY (id),
    CONSTRAINT attachments_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT attachments_media_type_check CHECK (media_type IN ('application/pdf', 'image/jpeg', 'image/png')),
    CONSTRAINT attachments_size_check CHECK (size_bytes > 0)
);
ALTER TABLE attachments ENABLE ROW LEVEL SECURITY;
CREATE POLICY attachments_gateway ON attachments TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
CREATE POLICY attachments_worker ON attachments FOR SELECT TO labwire_worker USING (true);
GRANT SELECT, INSERT ON attachments TO labwire_gateway;
GRANT SELECT ON attachments TO labwire_worker;

-- A file is uploaded to the provider once for each number; the id is reused while it lives.
CREATE TABLE media_uploads (
    attachment_id    uuid        NOT NULL,
    sender_number_id uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    media_id         text        NOT NULL,
    expires_at       timestamptz NOT NULL,
    CONSTRAINT media_uploads_pkey PRIMARY KEY (attachment_id, sender_number_id),
    CONSTRAINT media_uploads_attachment_fkey FOREIGN KEY (attachment_id) REFERENCES attachments (id) ON DELETE CASCADE
);
ALTER TABLE media_uploads ENABLE ROW LEVEL SECURITY;
CREATE POLICY media_uploads_worker ON media_uploads TO labwire_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON media_uploads TO labwire_worker;
