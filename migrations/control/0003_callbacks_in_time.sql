-- The messages of channels are listed by the time at which they came.

CREATE INDEX channel_callbacks_received_at ON channel_callbacks (received_at, channel, event_id);
