-- What must be left alone for a while, by scope: a number, its credential, its account, its app, one recipient of it, a template.
-- After `until` one is tried; if that goes well the pause is over, else it begins again, longer. Takes the place of flow_pauses.
CREATE TABLE pauses (
    scope     text        NOT NULL,
    -- Null: what the scope names may be several tenants'.
    tenant_id uuid,
    reason    text        NOT NULL,
    -- How often in a row it was tried in vain.
    strikes   integer     NOT NULL,
    paused_at timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    -- Somebody is trying: until then nobody else does.
    tried_until timestamptz,
    CONSTRAINT pauses_pkey PRIMARY KEY (scope),
    CONSTRAINT pauses_strikes_check CHECK (strikes > 0)
);
CREATE INDEX pauses_until ON pauses (until);
ALTER TABLE pauses ENABLE ROW LEVEL SECURITY;
CREATE POLICY pauses_gateway ON pauses TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
-- Why it waits is told to everyone whom it concerns; the reason names nobody.
CREATE POLICY pauses_gateway_shared ON pauses FOR SELECT TO labwire_gateway USING (tenant_id IS NULL);
CREATE POLICY pauses_worker ON pauses TO labwire_worker USING (true);
GRANT SELECT, DELETE ON pauses TO labwire_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON pauses TO labwire_worker;

-- Nothing was released yet that reads the old one.
DROP TABLE flow_pauses;

-- Claims whose consumer was lost: what takes its consumers down must not do so for ever.
ALTER TABLE work ADD COLUMN losses integer NOT NULL DEFAULT 0;
ALTER TABLE work ADD CONSTRAINT work_losses_check CHECK (losses >= 0);

-- The app whose token a number sends with, if it is one of ours: its call limit is shared by all its numbers.
ALTER TABLE sender_numbers ADD COLUMN app_key text;
ALTER TABLE sender_numbers ADD CONSTRAINT sender_numbers_app_fkey FOREIGN KEY (app_key) REFERENCES webhook_apps (key);
