-- Reading back, and forgetting single contents.

-- name: message_by_id
SELECT * FROM messages WHERE id = ?;

-- name: message_by_event_id
SELECT * FROM messages WHERE app_id = :app_id AND event_id = :name ORDER BY id DESC LIMIT 1;

-- name: messages_by_ids
-- Packed: see fetch_packed in bulk.py. JSON has no bytes, so the payload comes in hexadecimal.
SELECT json_group_array(json_array(
    id, app_id, event_type, iif(payload IS NULL, NULL, hex(payload)), accepted_at_us, fanout,
    is_raw, event_id, channels, tags, deliver_at_us, traceparent))
FROM messages WHERE id IN (SELECT value FROM json_each(:ids));

-- name: list_messages
-- The filters after the bounds are looked at row by row.
SELECT * FROM messages
WHERE app_id = :app_id AND id >= :low AND id < :high
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
    AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))
ORDER BY id ASC LIMIT :limit;

-- name: expunge_message
UPDATE messages SET payload = NULL WHERE id = ?;

-- name: delivery
SELECT * FROM placed WHERE message_id = ? AND endpoint_id = ? LIMIT 1;

-- name: list_deliveries_of_endpoint
-- Merges two index walks, hot and history, and stops at the limit; filters are looked at row by row.
SELECT placed.* FROM placed
WHERE endpoint_id = :endpoint_id AND message_id >= :message_low AND message_id < :message_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC LIMIT :limit;

-- name: list_deliveries_of_message
-- By primary key.
SELECT placed.* FROM placed
WHERE message_id = :message_id AND endpoint_id >= :endpoint_low AND endpoint_id < :endpoint_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY endpoint_id ASC LIMIT :limit;

-- name: list_deliveries
-- Of everyone, along the primary keys.
SELECT placed.* FROM placed
WHERE (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: list_deliveries_of_app
-- Walks the application's messages, and from each to its deliveries: in both tables, merged.
-- Ordered by the message's own id, or SQLite would sort what comes in order already.
SELECT placed.*, messages.id AS walked
FROM messages CROSS JOIN deliveries AS placed ON placed.message_id = messages.id
WHERE messages.app_id = :app_id AND messages.id >= :message_low AND messages.id <= :message_high
    AND (messages.id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (messages.id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
UNION ALL
SELECT placed.*, messages.id AS walked
FROM messages CROSS JOIN history AS placed ON placed.message_id = messages.id
WHERE messages.app_id = :app_id AND messages.id >= :message_low AND messages.id <= :message_high
    AND (messages.id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (messages.id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
ORDER BY walked ASC, endpoint_id ASC LIMIT :limit;

-- name: list_dead_of_endpoint
-- The three that follow walk an index of dead letters only.
SELECT placed.* FROM history AS placed
WHERE state = 'dead' AND endpoint_id = :endpoint_id
    AND message_id >= :message_low AND message_id < :message_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC LIMIT :limit;

-- name: list_dead_of_app
SELECT placed.* FROM history AS placed
WHERE state = 'dead' AND app_id = :app_id
    AND (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: list_dead
SELECT placed.* FROM history AS placed
WHERE state = 'dead'
    AND (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: attempt
SELECT * FROM attempts WHERE message_id = ? AND id = ?;

-- name: list_attempts_of_endpoint
SELECT * FROM attempts
WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high
    AND app_id = :app_id
    AND (:succeeded IS NULL OR (reason = 'ok') = :succeeded)
    AND (:status_class IS NULL OR coalesce(status, 0) / 100 * 100 = :status_class)
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = attempts.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
            AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))))
ORDER BY id ASC LIMIT :limit;

-- name: list_attempts_of_message
SELECT * FROM attempts
WHERE message_id = :message_id AND id >= :low AND id < :high
    AND (:endpoint_id IS NULL OR endpoint_id = :endpoint_id)
    AND app_id = :app_id
    AND (:succeeded IS NULL OR (reason = 'ok') = :succeeded)
    AND (:status_class IS NULL OR coalesce(status, 0) / 100 * 100 = :status_class)
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = attempts.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
            AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))))
ORDER BY id ASC LIMIT :limit;

-- name: attempt_counts
SELECT reason, COUNT(*) FROM attempts
WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high GROUP BY reason;

-- name: expunge_attempts
-- All responses to one message.
UPDATE attempts SET response_body = NULL, response_headers = NULL WHERE message_id = ?;

-- name: expunge_attempt
UPDATE attempts SET response_body = NULL, response_headers = NULL
WHERE message_id = ? AND id = ?;

-- name: log_lines
-- One writer at a time: lines become visible in the order of their numbers.
SELECT * FROM delivery_log WHERE line > :line ORDER BY line LIMIT :limit;

-- name: log_lines_of_app
SELECT * FROM delivery_log WHERE line > :line AND app_id = :app_id ORDER BY line LIMIT :limit;

-- name: notable_lines
-- In the words of the index delivery_log_notable, or it would not be used.
SELECT * FROM delivery_log
WHERE line > :line AND rows_written = 1 AND (to_state = 'dead' OR attempt_no >= 2)
ORDER BY line LIMIT :limit;

-- name: next_dead_endpoint
-- A step along history_dead_age to the next endpoint, and to the oldest of its dead letters.
SELECT endpoint_id, app_id, finished_at_us FROM history
WHERE state = 'dead' AND endpoint_id > ? ORDER BY endpoint_id, finished_at_us LIMIT 1;

-- name: dead_since
SELECT COUNT(*) FROM (
    SELECT 1 FROM history
    WHERE state = 'dead' AND endpoint_id = :endpoint_id AND finished_at_us >= :since_us
    LIMIT :most);

-- name: newest_dead
SELECT max(finished_at_us) FROM history WHERE state = 'dead' AND endpoint_id = ?;
