-- Whose a message is, its number's key guards (messages_sender_number_fkey), and whose an endpoint is, its own. What is derived from one
-- of these in the transaction that writes it was asked again for each row, and each time locked the tenant's row (ADR 22).
ALTER TABLE message_state DROP CONSTRAINT message_state_tenant_fkey;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_tenant_fkey;
ALTER TABLE callback_deliveries DROP CONSTRAINT callback_deliveries_tenant_fkey;
