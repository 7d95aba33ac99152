-- Accepting messages. And of all files beside this one:
--
-- The statements of the PostgreSQL store. Parameters are numbered; a batch is an array of a
-- table's own row type. Statements run under REPEATABLE READ unless they say otherwise: one that
-- meets a row changed since it began fails as a whole, and is run again.
--
-- NOT IN, never a join, compares two parts of one batch: it is answered by a hash table, while
-- the planner, which takes every array for ten rows, would compare each with each.

-- name: accept
-- Store messages with what belongs to them; one that repeats a key, or whose application is not
-- of the version that its fan-out came from, stores nothing and comes back. Mostly nothing does.
-- Safe: a key that another transaction writes at this moment is waited for; if that commits, this
-- statement fails as a whole, and when it is run again the key is seen. Keys are written in
-- order, so that two of these never wait for each other.
WITH seen AS MATERIALIZED (
    SELECT given.message_id, known.digest, known.fingerprint, known.message_id AS earlier_id,
        known.expires_at_us
    FROM ROWS FROM (unnest($4::keys[]), unnest($5::bigint[]))
        AS given (digest, fingerprint, message_id, status, body, expires_at_us, at_us)
    JOIN keys AS known ON known.digest = given.digest
    WHERE known.expires_at_us > given.at_us
), outdated AS MATERIALIZED (
    SELECT given.message_id
    FROM unnest($6::text[], $7::text[], $8::bigint[]) AS given (message_id, app_id, version)
    WHERE (given.app_id, given.version) NOT IN (
        SELECT id, version FROM resources WHERE kind = 'application' AND id = ANY ($9::text[])
    )
), refused AS MATERIALIZED (
    SELECT message_id FROM seen UNION ALL SELECT message_id FROM outdated
), stored_messages AS (
    INSERT INTO messages
    SELECT * FROM unnest($1::messages[]) AS given
    WHERE given.id NOT IN (SELECT message_id FROM refused)
), stored_deliveries AS (
    INSERT INTO deliveries
    SELECT * FROM unnest($2::deliveries[]) AS given
    WHERE given.message_id NOT IN (SELECT message_id FROM refused)
), stored_lines AS (
    INSERT INTO delivery_log
    SELECT at_us, mono_us, holder, sequence, op, message_id, endpoint_id, app_id, from_state,
        to_state, version_before, version_after, rows_written, lease_epoch, ready_at_us,
        attempt_id, attempt_no, request_bytes, status, first_byte_us, total_us, outcome, reason,
        actor, config_version, due_at_us
    FROM unnest($3::delivery_log[]) AS given
    WHERE given.message_id NOT IN (SELECT message_id FROM refused)
), stored_keys AS (
    INSERT INTO keys
    SELECT * FROM unnest($4::keys[]) AS given
    WHERE given.message_id NOT IN (SELECT message_id FROM refused)
    ORDER BY given.digest
    ON CONFLICT (digest) DO UPDATE
    SET (fingerprint, message_id, status, body, expires_at_us) = (
        excluded.fingerprint, excluded.message_id, excluded.status, excluded.body,
        excluded.expires_at_us
    )
)
SELECT message_id, digest, fingerprint, earlier_id, expires_at_us FROM seen
UNION ALL
SELECT message_id, NULL, NULL, NULL, NULL FROM outdated;

-- name: delete_expired_keys
-- Remove some keys that have expired. Those that somebody is writing are left for another time.
DELETE FROM keys WHERE digest IN (
    SELECT digest FROM keys WHERE expires_at_us <= $1
    ORDER BY expires_at_us LIMIT $2 FOR UPDATE SKIP LOCKED
);
