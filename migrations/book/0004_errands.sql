-- Channels are asked for more than charges and refunds: what for is the business of the code that asks.

ALTER TABLE channel_calls DROP CONSTRAINT channel_calls_kind;
