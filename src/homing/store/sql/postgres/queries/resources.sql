-- Documents, and keys of requests.

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
