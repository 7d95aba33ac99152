-- Looking for messages and deliveries: a walk along an index says which messages come next, so many
-- at a time and newest first, whatever is asked of them; a sieve keeps those that fit. So the cost of
-- one look has a bound, and how far it came is known. And the life of one delivery.

-- name: walk_messages
SELECT id FROM messages WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: walk_messages_of_app
-- Compared as pairs, here and below, so that the planner cannot walk everybody's in search of one's.
SELECT id FROM messages WHERE (app_id, id) >= ($4, $1) AND (app_id, id) < ($4, $2)
ORDER BY app_id DESC, id DESC LIMIT $3;

-- name: walk_endpoint
SELECT message_id FROM (SELECT * FROM deliveries UNION ALL SELECT * FROM history) AS d
WHERE (d.endpoint_id, d.message_id) >= ($4, $1) AND (d.endpoint_id, d.message_id) < ($4, $2)
    AND d.endpoint_id > ''
ORDER BY d.endpoint_id DESC, d.message_id DESC LIMIT $3;

-- name: walk_dead
-- The three that follow walk an index of dead letters only.
SELECT message_id FROM history WHERE state = 'dead' AND message_id >= $1 AND message_id < $2
ORDER BY message_id DESC, endpoint_id DESC LIMIT $3;

-- name: walk_dead_of_app
SELECT message_id FROM history
WHERE state = 'dead' AND (app_id, message_id) >= ($4, $1) AND (app_id, message_id) < ($4, $2)
ORDER BY app_id DESC, message_id DESC LIMIT $3;

-- name: walk_dead_of_endpoint
SELECT message_id FROM history
WHERE state = 'dead' AND endpoint_id = $4 AND message_id >= $1 AND message_id < $2
ORDER BY message_id DESC LIMIT $3;

-- name: walk_unfinished
-- The two that follow walk the hot table only.
SELECT message_id FROM deliveries WHERE message_id >= $1 AND message_id < $2
ORDER BY message_id DESC LIMIT $3;

-- name: walk_unfinished_of_endpoint
SELECT message_id FROM deliveries
WHERE (endpoint_id, message_id) >= ($4, $1) AND (endpoint_id, message_id) < ($4, $2)
    AND endpoint_id > ''
ORDER BY endpoint_id DESC, message_id DESC LIMIT $3;

-- name: sift_messages
-- Of these, by key; what they are without their payload, of which the length is enough.
SELECT id, app_id, event_type, accepted_at_us, fanout, is_raw, event_id, channels, tags,
    deliver_at_us, octet_length(payload)
FROM messages
WHERE id = ANY ($1::text[])
    AND ($3::text[] IS NULL OR app_id = ANY ($3))
    AND ($4::text IS NULL OR event_id = $4)
    AND ($5::text[] IS NULL OR EXISTS (
        SELECT FROM unnest($5) AS wanted WHERE CASE WHEN right(wanted, 1) = '*'
            THEN starts_with(event_type, left(wanted, -1)) ELSE event_type = wanted END))
    AND ($6::text IS NULL OR channels::jsonb ? $6)
    AND ($7::text[] IS NULL OR tags::jsonb ?& $7)
ORDER BY id DESC LIMIT $2;

-- name: sift_deliveries
-- Deliveries of these messages, by key, below one place. Their sorting is of these alone.
SELECT d.* FROM unnest($1::text[]) AS one (id)
CROSS JOIN LATERAL (
    SELECT * FROM deliveries WHERE message_id = one.id
    UNION ALL
    SELECT * FROM history WHERE message_id = one.id
) AS d
WHERE (d.message_id, d.endpoint_id) < ($3, $4)
    AND ($5::text[] IS NULL OR d.app_id = ANY ($5))
    AND ($6::text IS NULL OR d.endpoint_id = $6)
    AND ($7::text[] IS NULL OR d.state = ANY ($7))
ORDER BY d.message_id DESC, d.endpoint_id DESC LIMIT $2;

-- name: life
-- In the words of the indexes delivery_log_born and delivery_log_life.
SELECT * FROM delivery_log
WHERE message_id = $1 AND endpoint_id = $2 AND from_state IS NULL AND rows_written = 1
UNION ALL
(
    SELECT * FROM delivery_log
    WHERE message_id = $1 AND endpoint_id = $2
        AND from_state IS NOT NULL AND (
            op NOT IN ('leased', 'succeeded') OR from_state = 'leased' AND op = 'leased'
            OR rows_written = 0)
    ORDER BY transaction DESC, line DESC LIMIT $3
);
