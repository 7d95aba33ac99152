-- How endpoints are. Every count stops at a bound that it is given, and walks an index to it.

-- name: walk_indexes
-- For this transaction: the planner thinks that few rows lie between two ids that it does not know,
-- and would rather read and sort all of them than walk the index backwards until it has enough.
SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('enable_seqscan', 'off', true);

-- name: loads
-- Of each endpoint $2 of an application $1: what waits, is under way and is parked, dead letters, and
-- those of messages from $3 on, and the newest attempts from $4 on by what they came to; each up to $5.
SELECT asked.endpoint_id, waiting.count, waiting.next_at_us, leased.count, parked.count, dead.count,
    recent.count, newest.reasons, newest.counts
FROM unnest($1::text[], $2::text[]) AS asked (app_id, endpoint_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS count, min(ready_at_us) AS next_at_us FROM (
        SELECT d.ready_at_us FROM deliveries AS d
        WHERE d.state = 'waiting' AND d.app_id = asked.app_id AND d.endpoint_id = asked.endpoint_id
            AND d.ready_at_us IS NOT NULL
        ORDER BY d.ready_at_us LIMIT $5::int
    ) AS capped
) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM (
        SELECT FROM deliveries AS d
        WHERE d.state = 'leased' AND d.app_id = asked.app_id AND d.endpoint_id = asked.endpoint_id
            AND d.ready_at_us IS NOT NULL
        ORDER BY d.ready_at_us LIMIT $5::int
    ) AS capped
) AS leased
CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM (
        SELECT FROM deliveries AS d
        WHERE d.state = 'parked' AND d.app_id = asked.app_id AND d.endpoint_id = asked.endpoint_id
        ORDER BY d.app_id, d.endpoint_id LIMIT $5::int
    ) AS capped
) AS parked
CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM (
        SELECT FROM history AS h
        WHERE h.state = 'dead' AND h.endpoint_id = asked.endpoint_id
        ORDER BY h.message_id LIMIT $5::int
    ) AS capped
) AS dead
CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM (
        SELECT FROM history AS h
        WHERE h.state = 'dead' AND h.endpoint_id = asked.endpoint_id AND h.message_id >= $3
        ORDER BY h.message_id LIMIT $5::int
    ) AS capped
) AS recent
CROSS JOIN LATERAL (
    SELECT array_agg(reason) AS reasons, array_agg(count) AS counts FROM (
        SELECT reason, count(*) AS count FROM (
            SELECT t.reason FROM attempts AS t
            WHERE t.endpoint_id = asked.endpoint_id AND t.id >= $4 AND t.id < 'atmpt_~'
            ORDER BY t.id DESC LIMIT $5::int
        ) AS capped
        GROUP BY reason
    ) AS grouped
) AS newest;

-- name: count_slices
-- By the slice from $2 to $3 that they began in, counted from 1: the newest $4 attempts of each.
SELECT asked.slice, newest.reason, count(*)
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked (low, high, slice)
CROSS JOIN LATERAL (
    SELECT t.reason FROM attempts AS t
    WHERE t.endpoint_id = $1 AND t.id >= asked.low AND t.id < asked.high
    ORDER BY t.id DESC LIMIT $4::int
) AS newest
GROUP BY asked.slice, newest.reason;

-- name: sample_slices
SELECT asked.slice, newest.reason, newest.status, newest.total_us
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked (low, high, slice)
CROSS JOIN LATERAL (
    SELECT t.reason, t.status, t.total_us FROM attempts AS t
    WHERE t.endpoint_id = $1 AND t.id >= asked.low AND t.id < asked.high
    ORDER BY t.id DESC LIMIT $4::int
) AS newest;

-- name: count_failures
SELECT reason, status, count(*) FROM (
    SELECT t.reason, t.status FROM attempts AS t
    WHERE t.endpoint_id = $1 AND t.id >= $2 AND t.reason <> 'ok'
    ORDER BY t.id DESC LIMIT $3::int
) AS capped
GROUP BY reason, status;
