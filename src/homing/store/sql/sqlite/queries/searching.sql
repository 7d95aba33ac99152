-- Looking for messages and deliveries: a walk along an index says which messages come next, so many
-- at a time and newest first, whatever is asked of them; a sieve keeps those that fit. So the cost of
-- one look has a bound, and how far it came is known. And the life of one delivery.

-- name: walk_messages
SELECT json_group_array(id) FROM (
    SELECT id FROM messages WHERE id >= :low AND id < :high ORDER BY id DESC LIMIT :looks);

-- name: walk_messages_of_app
SELECT json_group_array(id) FROM (
    SELECT id FROM messages WHERE app_id = :app_id AND id >= :low AND id < :high
    ORDER BY id DESC LIMIT :looks);

-- name: walk_endpoint
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM placed
    WHERE endpoint_id = :endpoint_id AND message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: walk_dead
-- The three that follow walk an index of dead letters only.
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM history
    WHERE state = 'dead' AND message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: walk_dead_of_app
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM history
    WHERE state = 'dead' AND app_id = :app_id AND message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: walk_dead_of_endpoint
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM history
    WHERE state = 'dead' AND endpoint_id = :endpoint_id
        AND message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: walk_unfinished
-- The two that follow walk the hot table only.
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM deliveries WHERE message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: walk_unfinished_of_endpoint
SELECT json_group_array(message_id) FROM (
    SELECT message_id FROM deliveries
    WHERE endpoint_id = :endpoint_id AND message_id >= :low AND message_id < :high
    ORDER BY message_id DESC LIMIT :looks);

-- name: sift_messages
-- Of these, by key; what they are without their payload, of which the length is enough.
SELECT id, app_id, event_type, accepted_at_us, fanout, is_raw, event_id, channels, tags,
    deliver_at_us, length(payload)
FROM messages
WHERE id IN (SELECT value FROM json_each(:ids))
    AND (:app_ids IS NULL OR app_id IN (SELECT value FROM json_each(:app_ids)))
    AND (:event_id IS NULL OR event_id = :event_id)
    AND (:event_types IS NULL OR EXISTS (
        SELECT 1 FROM json_each(:event_types) WHERE iif(substr(value, -1) = '*',
            substr(event_type, 1, length(value) - 1) = substr(value, 1, length(value) - 1),
            event_type = value)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
    AND (:tags IS NULL OR NOT EXISTS (
        SELECT value FROM json_each(:tags) EXCEPT SELECT value FROM json_each(messages.tags)))
ORDER BY id DESC LIMIT :limit;

-- name: sift_deliveries
-- Deliveries of these messages, by key, below one place. Their sorting is of these alone.
SELECT placed.*
FROM json_each(:ids) AS one CROSS JOIN deliveries AS placed ON placed.message_id = one.value
WHERE (placed.message_id, placed.endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_ids IS NULL OR placed.app_id IN (SELECT value FROM json_each(:app_ids)))
    AND (:endpoint_id IS NULL OR placed.endpoint_id = :endpoint_id)
    AND (:states IS NULL OR placed.state IN (SELECT value FROM json_each(:states)))
UNION ALL
SELECT placed.*
FROM json_each(:ids) AS one CROSS JOIN history AS placed ON placed.message_id = one.value
WHERE (placed.message_id, placed.endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_ids IS NULL OR placed.app_id IN (SELECT value FROM json_each(:app_ids)))
    AND (:endpoint_id IS NULL OR placed.endpoint_id = :endpoint_id)
    AND (:states IS NULL OR placed.state IN (SELECT value FROM json_each(:states)))
ORDER BY message_id DESC, endpoint_id DESC LIMIT :limit;

-- name: life
-- In the words of the indexes delivery_log_born and delivery_log_life, or they would not be used.
SELECT * FROM delivery_log
WHERE message_id = :message_id AND endpoint_id = :endpoint_id
    AND from_state IS NULL AND rows_written = 1
UNION ALL
SELECT * FROM (
    SELECT * FROM delivery_log
    WHERE message_id = :message_id AND endpoint_id = :endpoint_id
        AND from_state IS NOT NULL AND (
            op NOT IN ('leased', 'succeeded') OR from_state = 'leased' AND op = 'leased'
            OR rows_written = 0)
    ORDER BY line DESC LIMIT :limit);
