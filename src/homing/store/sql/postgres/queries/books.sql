-- The books.

-- name: first_message
SELECT accepted_at_us FROM messages ORDER BY id LIMIT 1;

-- name: next_book
-- The first message that any of the books names, from $1 up to but not $2.
SELECT least(
    (SELECT min(message_id) FROM delivery_log
        WHERE from_state IS NULL AND rows_written = 1 AND message_id >= $1 AND message_id < $2),
    (SELECT min(message_id) FROM deliveries WHERE message_id >= $1 AND message_id < $2),
    (SELECT min(message_id) FROM history WHERE message_id >= $1 AND message_id < $2)
);

-- name: ledger
-- Deliveries counted by window, endpoint and column. $1, $2: the first message of each window, and
-- the one that the window ends before. Each window is a walk along one index of each table.
SELECT window_no, endpoint_id, app_id, state, count(*)
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS windows (low, high, window_no)
CROSS JOIN LATERAL (
    SELECT endpoint_id, app_id, state FROM deliveries
    WHERE message_id >= low AND message_id < high
    UNION ALL
    SELECT endpoint_id, app_id, state FROM history
    WHERE message_id >= low AND message_id < high
    UNION ALL
    (SELECT endpoint_id, app_id, 'accepted' FROM delivery_log
    WHERE from_state IS NULL AND rows_written = 1 AND message_id >= low AND message_id < high
    GROUP BY message_id, endpoint_id, app_id)
) AS books
GROUP BY window_no, endpoint_id, app_id, state;

-- name: compare_by_hash
-- For the rest of the transaction. A table that grew since it was last analysed passes for a small
-- one, and comparing each row with each took the audit of 50,000 deliveries half a minute.
SET LOCAL enable_nestloop = off;

-- name: misfits
-- From the message $1 up to but not $2: who is missing on which side, at most $3. The span is said
-- of both sides, so that a comparison by merging does not begin at the first row of all.
SELECT message_id, endpoint_id, kind FROM (
    SELECT DISTINCT message_id, endpoint_id, 'unaccounted' AS kind FROM delivery_log AS l
    WHERE from_state IS NULL AND rows_written = 1 AND message_id >= $1 AND message_id < $2
        AND NOT EXISTS (
            SELECT FROM deliveries AS d
            WHERE d.message_id = l.message_id AND d.endpoint_id = l.endpoint_id
                AND d.message_id >= $1 AND d.message_id < $2
        ) AND NOT EXISTS (
            SELECT FROM history AS h
            WHERE h.message_id = l.message_id AND h.endpoint_id = l.endpoint_id
                AND h.message_id >= $1 AND h.message_id < $2
        )
    UNION ALL
    SELECT DISTINCT message_id, endpoint_id, 'unannounced' FROM (
        SELECT message_id, endpoint_id FROM deliveries
        UNION ALL
        SELECT message_id, endpoint_id FROM history
    ) AS placed
    WHERE message_id >= $1 AND message_id < $2 AND NOT EXISTS (
        SELECT FROM delivery_log AS l
        WHERE l.from_state IS NULL AND l.rows_written = 1
            AND l.message_id = placed.message_id AND l.endpoint_id = placed.endpoint_id
            AND l.message_id >= $1 AND l.message_id < $2
    )
    UNION ALL
    SELECT message_id, endpoint_id, 'doubled'
    FROM deliveries JOIN history USING (message_id, endpoint_id)
    WHERE message_id >= $1 AND message_id < $2
    UNION ALL
    SELECT id, '', 'uncounted' FROM messages
    LEFT JOIN (
        SELECT message_id, count(*) AS lines FROM delivery_log
        WHERE from_state IS NULL AND rows_written = 1 AND op = 'accepted'
            AND message_id >= $1 AND message_id < $2
        GROUP BY message_id
    ) AS announced ON message_id = id
    WHERE id >= $1 AND id < $2 AND fanout <> coalesce(lines, 0)
    UNION ALL
    SELECT message_id, endpoint_id, 'unfiled' FROM history AS h
    WHERE state = 'dead' AND message_id >= $1 AND message_id < $2 AND NOT EXISTS (
        SELECT FROM dead_letters AS f
        WHERE f.message_id = h.message_id AND f.endpoint_id = h.endpoint_id
            AND f.discarded_at_us IS NULL AND f.message_id >= $1 AND f.message_id < $2
    )
    UNION ALL
    SELECT message_id, endpoint_id, 'misfiled' FROM dead_letters AS f
    WHERE message_id >= $1 AND message_id < $2 AND NOT EXISTS (
        SELECT FROM history AS h
        WHERE f.message_id = h.message_id AND f.endpoint_id = h.endpoint_id
            AND h.state = CASE WHEN f.discarded_at_us IS NULL THEN 'dead' ELSE 'cancelled' END
            AND h.message_id >= $1 AND h.message_id < $2
    )
) AS found
ORDER BY message_id, endpoint_id, kind LIMIT $3;

-- name: attempts_made
-- A walk along the primary key, from one message to another.
SELECT message_id, endpoint_id, count(*) FROM attempts
WHERE message_id BETWEEN $1 AND $2
GROUP BY message_id, endpoint_id;
