-- Writing decisions, and the hot table counted.

-- name: settle
-- Write decisions, each only over the version it was made on; those that found another come back.
-- $1 hot to history, $2 hot to hot, $3 history to hot, $4 history to history, $5 new to hot;
-- $6 their attempts, $7 one line of the log each. A delivery appears at most once.
-- Safe: the fence is in the same statement as the write, and what follows from the write
-- (history, attempts, log) is taken from what it returned. A message that gets one more delivery
-- is locked, so that no purge can take it meanwhile. Each row is looked up by its key before it is
-- written, and written in its place: a join is planned with the whole table where that was empty
-- when it was last analyzed. The version is asked for again of the very row that is written: who
-- waited for another's write looks at the new row then, and servers from before the autumn of 2025
-- (seen with 14.13 and 17.5) take it without asking whether its place is still that one. It is asked
-- for as a range, by which no join can be planned.
WITH finished AS (
    DELETE FROM deliveries AS d USING unnest($1::deliveries[]) AS a
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM deliveries
        WHERE message_id = a.message_id AND endpoint_id = a.endpoint_id
            AND version = a.version - 1
        LIMIT 1
    ) AS found
    WHERE d.ctid = found.place AND d.version BETWEEN found.version AND found.version
    RETURNING a.*
), kept AS (
    UPDATE deliveries AS d
    SET (state, version, ready_at_us, holder, leases, unanswered, failures, manual, resume,
        resume_at_us, reason, first_error, last_error) = (
        a.state, a.version, a.ready_at_us, a.holder, a.leases, a.unanswered, a.failures, a.manual,
        a.resume, a.resume_at_us, a.reason, a.first_error, a.last_error)
    FROM unnest($2::deliveries[]) AS a
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM deliveries
        WHERE message_id = a.message_id AND endpoint_id = a.endpoint_id
            AND version = a.version - 1
        LIMIT 1
    ) AS found
    WHERE d.ctid = found.place AND d.version BETWEEN found.version AND found.version
    RETURNING a.message_id, a.endpoint_id
), revived AS (
    DELETE FROM history AS h USING unnest($3::deliveries[]) AS a
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM history
        WHERE message_id = a.message_id AND endpoint_id = a.endpoint_id
            AND version = a.version - 1
        LIMIT 1
    ) AS found
    WHERE h.ctid = found.place AND h.version BETWEEN found.version AND found.version
    RETURNING a.*
), amended AS (
    UPDATE history AS h
    SET (state, version, leases, unanswered, failures, reason, first_error, last_error,
        finished_at_us) = (
        a.state, a.version, a.leases, a.unanswered, a.failures, a.reason, a.first_error,
        a.last_error, a.finished_at_us)
    FROM unnest($4::deliveries[]) AS a
    CROSS JOIN LATERAL (
        SELECT ctid AS place, version FROM history
        WHERE message_id = a.message_id AND endpoint_id = a.endpoint_id
            AND version = a.version - 1
        LIMIT 1
    ) AS found
    WHERE h.ctid = found.place AND h.version BETWEEN found.version AND found.version
    RETURNING a.message_id, a.endpoint_id
), added AS MATERIALIZED (
    SELECT a.* FROM unnest($5::deliveries[]) AS a
    CROSS JOIN LATERAL (
        SELECT FROM messages WHERE app_id = a.app_id AND id = a.message_id FOR KEY SHARE
    ) AS m
    WHERE (
        SELECT true FROM deliveries AS d
        WHERE d.message_id = a.message_id AND d.endpoint_id = a.endpoint_id LIMIT 1
    ) IS NULL AND (
        SELECT true FROM history AS h
        WHERE h.message_id = a.message_id AND h.endpoint_id = a.endpoint_id LIMIT 1
    ) IS NULL
), entered AS (
    INSERT INTO deliveries
    SELECT * FROM revived
    UNION ALL
    SELECT * FROM added
    ON CONFLICT (message_id, endpoint_id) DO NOTHING
    RETURNING message_id, endpoint_id
), filed AS (
    INSERT INTO history SELECT * FROM finished
), written AS MATERIALIZED (
    SELECT message_id, endpoint_id FROM finished
    UNION ALL SELECT message_id, endpoint_id FROM kept
    UNION ALL SELECT message_id, endpoint_id FROM amended
    UNION ALL SELECT message_id, endpoint_id FROM entered
), missed AS MATERIALIZED (
    SELECT message_id, endpoint_id FROM unnest($7::delivery_log[]) AS given
    WHERE (given.message_id, given.endpoint_id) NOT IN (
        SELECT message_id, endpoint_id FROM written
    )
), stored_attempts AS (
    INSERT INTO attempts
    SELECT * FROM unnest($6::attempts[]) AS given
    WHERE (given.message_id, given.endpoint_id) NOT IN (
        SELECT message_id, endpoint_id FROM missed
    )
    ON CONFLICT (message_id, id) DO NOTHING
), stored_lines AS (
    INSERT INTO delivery_log
    SELECT at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id, from_state,
        to_state, version_before, version_after, rows_written, lease_epoch, ready_at_us,
        attempt_id, attempt_no, request_bytes, status, first_byte_us, total_us, outcome, reason,
        actor, config_version, due_at_us
    FROM unnest($7::delivery_log[]) AS given
    WHERE (given.message_id, given.endpoint_id) NOT IN (
        SELECT message_id, endpoint_id FROM missed
    )
)
SELECT message_id, endpoint_id FROM missed;

-- name: settle_late
-- Keep outcomes that decided nothing.
WITH stored_attempts AS (
    INSERT INTO attempts SELECT * FROM unnest($1::attempts[])
    ON CONFLICT (message_id, id) DO NOTHING
)
INSERT INTO delivery_log
SELECT at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id, from_state,
    to_state, version_before, version_after, rows_written, lease_epoch, ready_at_us,
    attempt_id, attempt_no, request_bytes, status, first_byte_us, total_us, outcome, reason,
    actor, config_version, due_at_us
FROM unnest($2::delivery_log[]);

-- name: next_ready_at_us
SELECT min(ready_at_us) FROM deliveries WHERE ready_at_us IS NOT NULL;

-- name: parked_endpoints
SELECT DISTINCT app_id, endpoint_id FROM deliveries WHERE state = 'parked'
ORDER BY app_id, endpoint_id;

-- name: backlog
SELECT
    count(*) FILTER (WHERE state = 'waiting'),
    count(*) FILTER (WHERE state = 'leased'),
    count(*) FILTER (WHERE state = 'parked'),
    count(*) FILTER (WHERE ready_at_us <= $1),
    min(ready_at_us) FILTER (WHERE ready_at_us <= $1)
FROM deliveries;

-- name: behind
-- Due or under way, by application.
SELECT app_id, count(*) FROM deliveries
WHERE state = 'leased' OR (state = 'waiting' AND ready_at_us <= $1)
GROUP BY app_id;

-- name: present_deliveries
-- Where these stand: hot rows and finished ones.
SELECT d.* FROM unnest($1::text[], $2::text[]) AS given (message_id, endpoint_id)
JOIN deliveries AS d ON d.message_id = given.message_id AND d.endpoint_id = given.endpoint_id
UNION ALL
SELECT h.* FROM unnest($1::text[], $2::text[]) AS given (message_id, endpoint_id)
JOIN history AS h ON h.message_id = given.message_id AND h.endpoint_id = given.endpoint_id;

-- name: present_attempts
-- Those of these attempts that are stored, and whether each came late.
SELECT t.message_id, t.id, t.late
FROM unnest($1::text[], $2::text[]) AS given (message_id, id)
JOIN attempts AS t ON t.message_id = given.message_id AND t.id = given.id;

-- name: wait_for_messages
-- Taken before deliveries are added to earlier messages, always in the order of their ids: two who
-- add the same one come one after the other, and the second sees what the first has written.
SELECT FROM messages WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE;
