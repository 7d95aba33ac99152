-- Forgetting what is beyond its retention.

-- name: applications_kept
-- From one application's first message to the next one's: a step each, however many messages.
WITH RECURSIVE kept (app_id) AS (
    (SELECT app_id FROM messages WHERE app_id > $1 ORDER BY app_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.app_id FROM messages AS m WHERE m.app_id > kept.app_id
        ORDER BY m.app_id LIMIT 1)
    FROM kept WHERE kept.app_id IS NOT NULL
)
SELECT app_id FROM kept WHERE app_id IS NOT NULL LIMIT $2;

-- name: standings
-- Along the application's index, and by key from each message to what it has. Compared as pairs,
-- so that the planner cannot walk everybody's messages in search of one application's; LIMIT 1, or
-- it would read all attempts once to answer for each message from a hash table.
SELECT m.id, m.app_id, m.accepted_at_us, m.payload IS NOT NULL,
    (SELECT true FROM attempts AS t WHERE t.message_id = m.id LIMIT 1),
    (SELECT true FROM deliveries AS d WHERE d.message_id = m.id LIMIT 1),
    done.finished, done.finished_at_us, done.dead_at_us
FROM messages AS m
CROSS JOIN LATERAL (
    SELECT count(*) AS finished, max(finished_at_us) AS finished_at_us,
        max(finished_at_us) FILTER (WHERE state = 'dead') AS dead_at_us
    FROM history WHERE message_id = m.id
) AS done
WHERE (m.app_id, m.id) > ($1, $2) AND (m.app_id, m.id) < ($1, $3)
ORDER BY m.app_id, m.id LIMIT $4;

-- name: standings_of
-- The same of these messages.
SELECT m.id, m.app_id, m.accepted_at_us, m.payload IS NOT NULL,
    (SELECT true FROM attempts AS t WHERE t.message_id = m.id LIMIT 1),
    (SELECT true FROM deliveries AS d WHERE d.message_id = m.id LIMIT 1),
    done.finished, done.finished_at_us, done.dead_at_us
FROM messages AS m
CROSS JOIN LATERAL (
    SELECT count(*) AS finished, max(finished_at_us) AS finished_at_us,
        max(finished_at_us) FILTER (WHERE state = 'dead') AS dead_at_us
    FROM history WHERE message_id = m.id
) AS done
WHERE m.id = ANY ($1::text[]);

-- name: lock_messages
-- Of these, the ones that nobody else holds; from now on no delivery can be added to them. This
-- and the next statement come before the look at what there is, each with a snapshot of its own
-- (READ COMMITTED): what was decided before the locks were had is seen, and nothing after.
SELECT id FROM messages WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: lock_history
-- From now on none of their finished deliveries can come back.
SELECT FROM history WHERE message_id = ANY ($1::text[])
ORDER BY message_id, endpoint_id FOR UPDATE;

-- name: purge
-- Messages that are locked and have nothing unfinished: $1 lose their payload, $2 their attempts,
-- $3 go whole. Counts, in the order of the fields of `Purged`.
WITH forgotten AS (
    UPDATE messages SET payload = NULL WHERE id = ANY ($1::text[]) AND payload IS NOT NULL
    RETURNING 1
), attempts_gone AS (
    DELETE FROM attempts WHERE message_id = ANY ($2::text[] || $3::text[]) RETURNING 1
), messages_gone AS (
    DELETE FROM messages WHERE id = ANY ($3::text[]) RETURNING 1
), history_gone AS (
    DELETE FROM history WHERE message_id = ANY ($3::text[]) RETURNING state
), lines_gone AS (
    DELETE FROM delivery_log
    WHERE from_state IS NULL AND rows_written = 1 AND message_id = ANY ($3::text[]) RETURNING 1
)
SELECT (SELECT count(*) FROM forgotten), (SELECT count(*) FROM attempts_gone),
    (SELECT count(*) FROM messages_gone), (SELECT count(*) FROM history_gone),
    (SELECT count(*) FROM history_gone WHERE state = 'dead'), (SELECT count(*) FROM lines_gone);

-- name: purge_lines
-- Of the next $4 lines of the log that were written before $3, those of messages that are gone; of
-- a message without a row that is still in the books, none. The last line looked at, and how many
-- went. Each is found by its key and removed by its place (ctid), which no later write can change:
-- a line is never updated. A plan made while the log was empty would join it whole.
WITH looked_at AS MATERIALIZED (
    SELECT ctid AS place, transaction, line, message_id,
        from_state IS NULL AND rows_written = 1 AS is_born
    FROM (
        SELECT ctid, * FROM delivery_log WHERE (transaction, line) > ($1::text::xid8, $2)
        ORDER BY transaction, line LIMIT $4
    ) AS next WHERE at_us < $3
), gone AS (
    DELETE FROM delivery_log WHERE ctid = ANY (ARRAY(
        SELECT place FROM looked_at AS k WHERE NOT is_born
            AND (SELECT true FROM messages AS m WHERE m.id = k.message_id LIMIT 1) IS NULL
            AND (SELECT true FROM deliveries AS d WHERE d.message_id = k.message_id LIMIT 1)
                IS NULL
            AND (
                SELECT true FROM delivery_log AS born
                WHERE born.message_id = k.message_id
                    AND born.from_state IS NULL AND born.rows_written = 1 LIMIT 1
            ) IS NULL
    ))
    RETURNING 1
)
SELECT transaction::text::bigint, line, (SELECT count(*) FROM gone)
FROM looked_at ORDER BY transaction DESC, line DESC LIMIT 1;
