-- Payments that wait for somebody and have an end are found by it; null for all others.

ALTER TABLE order_status ADD COLUMN expires_at timestamptz;
CREATE INDEX order_status_expires_at ON order_status (expires_at, payment) WHERE expires_at IS NOT NULL;
