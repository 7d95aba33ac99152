-- Documents, and keys of requests.

-- name: resource_by_id
SELECT document, version FROM resources WHERE kind = :kind AND scope = :scope AND id = :name;

-- name: resource_by_uid
SELECT document, version FROM resources WHERE kind = :kind AND scope = :scope AND uid = :name;

-- name: resources_by_ids
SELECT document, version FROM resources
WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids)) ORDER BY id;

-- name: list_resources
SELECT document, version FROM resources
WHERE kind = :kind AND scope = :scope AND id >= :low AND id < :high
ORDER BY id ASC LIMIT :limit;

-- name: list_all_resources
-- Of every scope.
SELECT document, version FROM resources
WHERE kind = :kind AND id >= :low AND id < :high
ORDER BY id ASC LIMIT :limit;

-- name: running_tasks
-- Walks resources_running, which holds nothing else.
SELECT document, version FROM resources
WHERE kind = 'task' AND json_extract(document, '$.status') = 'running' ORDER BY id LIMIT ?;

-- name: insert_resource
INSERT INTO resources (kind, scope, id, uid, version, document)
VALUES (:kind, :scope, :id, :uid, :version, :document);

-- name: add_resource
INSERT INTO resources (kind, scope, id, uid, version, document)
VALUES (:kind, :scope, :id, :uid, :version, :document)
ON CONFLICT DO NOTHING;

-- name: update_resource
UPDATE resources SET uid = :uid, version = :version, document = :document
WHERE kind = :kind AND scope = :scope AND id = :id AND version = :version - 1;

-- name: touch_application
UPDATE resources SET version = version + 1 WHERE kind = 'application' AND id = ?;

-- name: delete_resource
DELETE FROM resources WHERE kind = :kind AND scope = :scope AND id = :id;

-- name: delete_endpoints_of
DELETE FROM resources WHERE kind = 'endpoint' AND scope = ?;
