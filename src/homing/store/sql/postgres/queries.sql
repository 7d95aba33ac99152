-- Every statement of the PostgreSQL store. Parameters are numbered; a batch is an array of a
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
        actor, config_version
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

-- name: due_lanes
-- Whose the oldest are. Walks deliveries_ready from its beginning and stops at the limit.
SELECT app_id, endpoint_id, min(ready_at_us), count(*) FROM (
    SELECT app_id, endpoint_id, ready_at_us FROM deliveries WHERE ready_at_us <= $1
    ORDER BY ready_at_us LIMIT $2
) AS oldest GROUP BY app_id, endpoint_id;

-- name: walk_lanes
-- Steps along deliveries_lane, in state $1, from one lane to the next over all that is in it; after
-- $5 lanes of one application, to the next application.
WITH RECURSIVE walk AS (
    SELECT $2::text COLLATE "C" AS app_id, $3::text COLLATE "C" AS endpoint_id,
        NULL::bigint AS ready_at_us, 0 AS step, 0 AS nth
    UNION ALL
    SELECT next.app_id, next.endpoint_id, next.ready_at_us, walk.step + 1,
        CASE WHEN next.app_id = walk.app_id THEN walk.nth + 1 ELSE 1 END
    FROM walk CROSS JOIN LATERAL (
        SELECT d.app_id, d.endpoint_id, d.ready_at_us FROM deliveries AS d
        WHERE d.state = $1 AND d.ready_at_us IS NOT NULL AND (d.app_id, d.endpoint_id) > (
            walk.app_id, CASE WHEN walk.nth < $5::int THEN walk.endpoint_id ELSE '~' END
        )
        ORDER BY d.app_id, d.endpoint_id, d.ready_at_us LIMIT 1
    ) AS next
    WHERE walk.step < $4::int
)
SELECT app_id, endpoint_id, ready_at_us FROM walk WHERE step > 0;

-- name: due_deliveries
-- Lock what is due, each lane up to its quota, with its message. Runs under READ COMMITTED, in the
-- transaction that writes the decisions: SKIP LOCKED lets dispatchers claim side by side, and a row
-- that changed before it was locked is looked at again.
SELECT d.*, m.*
FROM unnest($2::text[], $3::text[], $4::int[]) AS quota (app_id, endpoint_id, count)
CROSS JOIN LATERAL (
    SELECT due.* FROM (VALUES ('leased'), ('waiting')) AS either (state)
    CROSS JOIN LATERAL (
        SELECT * FROM deliveries AS one
        WHERE one.state = either.state AND one.app_id = quota.app_id
            AND one.endpoint_id = quota.endpoint_id AND one.ready_at_us <= $1
        ORDER BY one.ready_at_us
        LIMIT quota.count
        FOR UPDATE SKIP LOCKED
    ) AS due
    LIMIT quota.count
) AS d
LEFT JOIN messages AS m ON m.id = d.message_id;

-- name: make_allowances
-- A transaction of its own, so that nobody waits for a claim that stands still.
INSERT INTO allowances (id, tat_us) SELECT id, 0 FROM unnest($1::text[]) AS id
ON CONFLICT (id) DO NOTHING;

-- name: lock_allowances
-- Whoever holds one of these rows is about to claim for it; nobody waits for that.
SELECT id, tat_us FROM allowances WHERE id = ANY ($1::text[]) FOR UPDATE SKIP LOCKED;

-- name: count_leases
-- Those that have not run out, of endpoints, and of applications (endpoint NULL), each counted up to
-- its limit. After the lock: whoever claimed for the same before has committed.
SELECT given.id, (
    SELECT count(*) FROM (
        SELECT FROM deliveries AS d
        WHERE d.state = 'leased' AND d.app_id = given.app_id AND d.endpoint_id = given.endpoint_id
            AND d.ready_at_us > $1
        LIMIT given.most
    ) AS leased
) FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS given (id, app_id, endpoint_id, most)
WHERE given.endpoint_id IS NOT NULL
UNION ALL
SELECT given.id, (
    SELECT count(*) FROM (
        SELECT FROM deliveries AS d
        WHERE d.state = 'leased' AND d.app_id = given.app_id AND d.ready_at_us > $1
        LIMIT given.most
    ) AS leased
) FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS given (id, app_id, endpoint_id, most)
WHERE given.endpoint_id IS NULL;

-- name: keep_allowances
UPDATE allowances AS a SET tat_us = given.tat_us
FROM unnest($1::text[], $2::bigint[]) AS given (id, tat_us) WHERE a.id = given.id;

-- name: settle
-- Write decisions, each only over the version it was made on; those that found another come back.
-- $1 hot to history, $2 hot to hot, $3 history to hot, $4 history to history, $5 new to hot;
-- $6 their attempts, $7 one line of the log each. A delivery appears at most once.
-- Safe: the fence is in the same statement as the write, and what follows from the write
-- (history, attempts, log) is taken from what it returned. A message that gets one more delivery
-- is locked, so that no purge can take it meanwhile.
WITH finished AS (
    DELETE FROM deliveries AS d USING unnest($1::deliveries[]) AS a
    WHERE d.message_id = a.message_id AND d.endpoint_id = a.endpoint_id
        AND d.version = a.version - 1
    RETURNING a.*
), kept AS (
    UPDATE deliveries AS d
    SET (state, version, ready_at_us, holder, leases, unanswered, failures, manual, resume,
        resume_at_us, reason, first_error, last_error) = (
        a.state, a.version, a.ready_at_us, a.holder, a.leases, a.unanswered, a.failures, a.manual,
        a.resume, a.resume_at_us, a.reason, a.first_error, a.last_error)
    FROM unnest($2::deliveries[]) AS a
    WHERE d.message_id = a.message_id AND d.endpoint_id = a.endpoint_id
        AND d.version = a.version - 1
    RETURNING a.message_id, a.endpoint_id
), revived AS (
    DELETE FROM history AS h USING unnest($3::deliveries[]) AS a
    WHERE h.message_id = a.message_id AND h.endpoint_id = a.endpoint_id
        AND h.version = a.version - 1
    RETURNING a.*
), amended AS (
    UPDATE history AS h
    SET (state, version, leases, unanswered, failures, reason, first_error, last_error,
        finished_at_us) = (
        a.state, a.version, a.leases, a.unanswered, a.failures, a.reason, a.first_error,
        a.last_error, a.finished_at_us)
    FROM unnest($4::deliveries[]) AS a
    WHERE h.message_id = a.message_id AND h.endpoint_id = a.endpoint_id
        AND h.version = a.version - 1
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
        actor, config_version
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
    actor, config_version
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

-- name: find_resource
-- By id, or else by uid.
SELECT version, document FROM resources WHERE kind = $1 AND scope = $2 AND id = $3
UNION ALL
SELECT version, document FROM resources WHERE kind = $1 AND scope = $2 AND uid = $3
LIMIT 1;

-- name: resources_by_ids
SELECT version, document FROM resources WHERE kind = $1 AND id = ANY ($2::text[]);

-- name: list_resources
SELECT version, document FROM resources
WHERE kind = $1 AND scope = $2 AND id >= $3 AND id < $4 ORDER BY id ASC LIMIT $5;

-- name: list_all_resources
-- Of every scope.
SELECT version, document FROM resources
WHERE kind = $1 AND id >= $2 AND id < $3 ORDER BY id ASC LIMIT $4;

-- name: running_tasks
-- Walks resources_running, which holds nothing else.
SELECT version, document FROM resources
WHERE kind = 'task' AND document::jsonb ->> 'status' = 'running' ORDER BY id LIMIT $1;

-- name: lock_messages
-- Taken before deliveries are added to earlier messages, always in the order of their ids: two who
-- add the same one come one after the other, and the second sees what the first has written.
SELECT FROM messages WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE;

-- name: insert_resource
INSERT INTO resources (kind, scope, id, uid, version, document) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING id;

-- name: update_resource
UPDATE resources SET uid = $4, version = $5, document = $6
WHERE kind = $1 AND scope = $2 AND id = $3 AND version = $5 - 1 RETURNING id;

-- name: touch_application
UPDATE resources SET version = version + 1 WHERE kind = 'application' AND id = $1 RETURNING id;

-- name: lock_application
-- Taken before what belongs to the application, so that no two writers wait for each other.
SELECT FROM resources WHERE kind = 'application' AND id = $1 FOR UPDATE;

-- name: delete_resource
DELETE FROM resources WHERE kind = $1 AND scope = $2 AND id = $3 RETURNING id;

-- name: delete_endpoints_of
DELETE FROM resources WHERE kind = 'endpoint' AND scope = $1;

-- name: insert_key
-- Keep what a request led to, unless an earlier one with this key has not expired by $7.
INSERT INTO keys (digest, fingerprint, message_id, status, body, expires_at_us)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (digest) DO UPDATE
SET (fingerprint, message_id, status, body, expires_at_us) = (
    excluded.fingerprint, excluded.message_id, excluded.status, excluded.body,
    excluded.expires_at_us
)
WHERE keys.expires_at_us <= $7
RETURNING digest;

-- name: find_key
SELECT k.fingerprint, k.status, k.body, m.*
FROM keys AS k LEFT JOIN messages AS m ON m.id = k.message_id
WHERE k.digest = $1 AND k.expires_at_us > $2;

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
WHERE d.endpoint_id = $1 AND d.message_id >= $2 AND d.message_id < $3
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
) AS found
ORDER BY message_id, endpoint_id, kind LIMIT $3;

-- name: beat
-- A write that changes nothing anyone reads.
INSERT INTO pulse (one, beats) VALUES (1, 1)
ON CONFLICT (one) DO UPDATE SET beats = pulse.beats + 1;

-- name: durability
-- What the server promises when it says that something is committed.
SELECT current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('full_page_writes');

-- name: lock_migrations
-- Nodes that start together migrate one after the other. The number only has to be ours.
SELECT pg_advisory_xact_lock(7102301045);

-- name: create_migrations
-- Which migrations were applied; it comes before the first of them.
CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY);

-- name: find_table
SELECT to_regclass($1) IS NOT NULL;

-- name: applied_migrations
SELECT name FROM migrations ORDER BY name;

-- name: insert_migration
INSERT INTO migrations (name) VALUES ($1);

-- name: renumber_log
-- A database restored into another server has lines of transactions that are yet to come there.
-- They are put before everything, in the order of their numbers.
UPDATE delivery_log SET transaction = '3' WHERE transaction >= pg_current_xact_id();

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
