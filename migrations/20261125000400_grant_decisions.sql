-- A lab decides about its own messages in doubt and its own dead letters: the gateway may learn of its tenants' messages what a decision
-- says, tell their endpoints, and take back or renew their work.
GRANT UPDATE (state, base, given_up_at, given_up, wamid, attempts, resends, sent_at, delivered_at, read_at, failed_at, failure,
              unconfirmed_at, updated_at) ON message_state TO labwire_gateway;
GRANT UPDATE (lease_until, failures, losses), DELETE ON work TO labwire_gateway;

CREATE POLICY callback_deliveries_gateway_insert ON callback_deliveries FOR INSERT TO labwire_gateway
    WITH CHECK (tenant_id = ANY (current_tenants()));
GRANT INSERT ON callback_deliveries TO labwire_gateway;

CREATE POLICY dead_letters_gateway_delete ON dead_letters FOR DELETE TO labwire_gateway USING (tenant_id = ANY (current_tenants()));
GRANT DELETE ON dead_letters TO labwire_gateway;

-- A lab's dead letters, page by page, the latest first.
CREATE INDEX dead_letters_tenant ON dead_letters (tenant_id, died_at DESC, id DESC);
