-- Reading back, and forgetting single contents.

-- name: find_message
-- By id, or else the newest with this event id.
SELECT * FROM messages WHERE app_id = $1 AND id = $2
UNION ALL
(SELECT * FROM messages WHERE app_id = $1 AND event_id = $2 ORDER BY id DESC LIMIT 1)
LIMIT 1;

-- name: messages_by_ids
SELECT * FROM messages WHERE id = ANY ($1::text[]);

-- name: list_messages
SELECT * FROM messages
WHERE app_id = $1 AND id >= $2 AND id < $3
    AND ($5::text[] IS NULL OR event_type = ANY ($5))
    AND ($6::text IS NULL OR channels::jsonb ? $6)
    AND ($7::text IS NULL OR tags::jsonb ? $7)
ORDER BY id ASC LIMIT $4;

-- name: delivery
SELECT * FROM deliveries WHERE message_id = $1 AND endpoint_id = $2
UNION ALL
SELECT * FROM history WHERE message_id = $1 AND endpoint_id = $2
LIMIT 1;

-- name: list_deliveries_of_endpoint
-- Merges walks along one index of each table. Only without conditions inside does the planner see
-- through the union; with its parameters known it also sees whether all are dead.
SELECT * FROM (SELECT * FROM deliveries UNION ALL SELECT * FROM history) AS d
WHERE d.endpoint_id = $1 AND d.message_id >= $2 AND d.message_id < $3 AND d.endpoint_id > ''
    AND ($5::text IS NULL OR d.app_id = $5)
    AND ($6::text[] IS NULL OR d.state = ANY ($6))
    AND ($7::text[] IS NULL AND $8::text IS NULL OR EXISTS (
        SELECT FROM messages AS m
        WHERE m.id = d.message_id AND ($7 IS NULL OR m.event_type = ANY ($7))
            AND ($8 IS NULL OR m.channels::jsonb ? $8)
    ))
ORDER BY d.message_id ASC LIMIT $4;

-- name: list_deliveries_of_message
SELECT * FROM (SELECT * FROM deliveries UNION ALL SELECT * FROM history) AS d
WHERE d.message_id = $1 AND d.endpoint_id >= $2 AND d.endpoint_id < $3
    AND ($5::text IS NULL OR d.app_id = $5)
    AND ($6::text[] IS NULL OR d.state = ANY ($6))
    AND ($7::text[] IS NULL AND $8::text IS NULL OR EXISTS (
        SELECT FROM messages AS m
        WHERE m.id = d.message_id AND ($7 IS NULL OR m.event_type = ANY ($7))
            AND ($8 IS NULL OR m.channels::jsonb ? $8)
    ))
ORDER BY d.endpoint_id ASC LIMIT $4;

-- name: list_deliveries
-- Of one application or of everyone, between two (message, endpoint), both exclusive.
SELECT * FROM (SELECT * FROM deliveries UNION ALL SELECT * FROM history) AS d
WHERE (d.message_id, d.endpoint_id) > ($1, $2) AND (d.message_id, d.endpoint_id) < ($3, $4)
    AND ($6::text IS NULL OR d.app_id = $6)
    AND ($7::text[] IS NULL OR d.state = ANY ($7))
    AND ($8::text[] IS NULL AND $9::text IS NULL OR EXISTS (
        SELECT FROM messages AS m
        WHERE m.id = d.message_id AND ($8 IS NULL OR m.event_type = ANY ($8))
            AND ($9 IS NULL OR m.channels::jsonb ? $9)
    ))
ORDER BY d.message_id ASC, d.endpoint_id ASC LIMIT $5;

-- name: attempt
SELECT * FROM attempts WHERE message_id = $1 AND id = $2;

-- name: list_attempts_of_endpoint
SELECT t.* FROM attempts AS t
WHERE t.endpoint_id = $1 AND t.id >= $2 AND t.id < $3 AND t.app_id = $5
    AND ($6::text IS NULL OR t.message_id = $6)
    AND ($7::boolean IS NULL OR (t.reason = 'ok') = $7)
    AND ($8::integer IS NULL OR coalesce(t.status, 0) / 100 * 100 = $8)
    AND ($9::text[] IS NULL AND $10::text IS NULL AND $11::text IS NULL OR EXISTS (
        SELECT FROM messages AS m
        WHERE m.id = t.message_id AND ($9 IS NULL OR m.event_type = ANY ($9))
            AND ($10 IS NULL OR m.channels::jsonb ? $10)
            AND ($11 IS NULL OR m.tags::jsonb ? $11)
    ))
ORDER BY t.id ASC LIMIT $4;

-- name: list_attempts_of_message
SELECT t.* FROM attempts AS t
WHERE t.message_id = $1 AND t.id >= $2 AND t.id < $3 AND t.app_id = $5
    AND ($6::text IS NULL OR t.endpoint_id = $6)
    AND ($7::boolean IS NULL OR (t.reason = 'ok') = $7)
    AND ($8::integer IS NULL OR coalesce(t.status, 0) / 100 * 100 = $8)
    AND ($9::text[] IS NULL AND $10::text IS NULL AND $11::text IS NULL OR EXISTS (
        SELECT FROM messages AS m
        WHERE m.id = t.message_id AND ($9 IS NULL OR m.event_type = ANY ($9))
            AND ($10 IS NULL OR m.channels::jsonb ? $10)
            AND ($11 IS NULL OR m.tags::jsonb ? $11)
    ))
ORDER BY t.id ASC LIMIT $4;

-- name: attempt_counts
SELECT reason, count(*) FROM attempts
WHERE endpoint_id = $1 AND id >= $2 AND id < $3 GROUP BY reason;

-- name: expunge_message
-- With all responses, which may repeat it.
WITH expunged_attempts AS (
    UPDATE attempts SET response_body = NULL, response_headers = NULL
    WHERE message_id = ANY ($1::text[])
)
UPDATE messages SET payload = NULL WHERE id = ANY ($1::text[]);

-- name: expunge_attempt
UPDATE attempts SET response_body = NULL, response_headers = NULL WHERE message_id = $1 AND id = $2;

-- name: log
-- Lines whose transaction is older than every one that still runs: none can appear before them.
SELECT *, transaction::text::bigint AS after_transaction
FROM delivery_log
WHERE (transaction, line) > ($1::text::xid8, $2)
    AND transaction < pg_snapshot_xmin(pg_current_snapshot())
    AND ($4::text IS NULL OR app_id = $4)
ORDER BY transaction, line LIMIT $3;

-- name: notable_log
-- As log, in the words of the index delivery_log_notable.
SELECT *, transaction::text::bigint AS after_transaction
FROM delivery_log
WHERE (transaction, line) > ($1::text::xid8, $2)
    AND transaction < pg_snapshot_xmin(pg_current_snapshot())
    AND rows_written = 1 AND (to_state = 'dead' OR attempt_no >= 2)
ORDER BY transaction, line LIMIT $3;

-- name: dead_letters
-- Steps along history_dead_age from one endpoint to the next, after $3, at most $4 of them; of each
-- it counts up to $5 in all, since $1 and since $2.
WITH RECURSIVE walk AS (
    SELECT $3::text COLLATE "C" AS endpoint_id, NULL::text COLLATE "C" AS app_id,
        NULL::bigint AS oldest_at_us, 0 AS step
    UNION ALL
    SELECT next.endpoint_id, next.app_id, next.finished_at_us, walk.step + 1
    FROM walk CROSS JOIN LATERAL (
        SELECT h.endpoint_id, h.app_id, h.finished_at_us FROM history AS h
        WHERE h.state = 'dead' AND h.endpoint_id > walk.endpoint_id
        ORDER BY h.endpoint_id, h.finished_at_us LIMIT 1
    ) AS next
    WHERE walk.step < $4::int
)
SELECT walk.endpoint_id, app_id, n_all.count, n_recent.count, n_past.count, oldest_at_us,
    newest.finished_at_us
FROM walk
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM history AS h WHERE h.state = 'dead' AND h.endpoint_id = walk.endpoint_id
        LIMIT $5::int
    ) AS capped
) AS n_all
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM history AS h WHERE h.state = 'dead' AND h.endpoint_id = walk.endpoint_id
            AND h.finished_at_us >= $1 LIMIT $5::int
    ) AS capped
) AS n_recent
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM history AS h WHERE h.state = 'dead' AND h.endpoint_id = walk.endpoint_id
            AND h.finished_at_us >= $2 LIMIT $5::int
    ) AS capped
) AS n_past
CROSS JOIN LATERAL (
    SELECT h.finished_at_us FROM history AS h
    WHERE h.state = 'dead' AND h.endpoint_id = walk.endpoint_id
    ORDER BY h.finished_at_us DESC LIMIT 1
) AS newest
WHERE step > 0;
