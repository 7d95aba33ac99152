-- Taking what is due, within shares and limits.

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
        FOR UPDATE OF one SKIP LOCKED
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
