-- Everything that Homing remembers, SQLite.
-- Times are microseconds since 1970, UTC. Ids sort by the time they were made.
-- The hot path writes messages, deliveries, history, attempts, delivery_log and keys: each index
-- on them has to earn its place, and says how.

-- What people configure: documents. The version column is the truth; the document's own may lag,
-- because an application's is also raised by writes to its endpoints.
CREATE TABLE resources (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    uid TEXT,
    version INTEGER NOT NULL CHECK (version >= 1),
    document TEXT NOT NULL,
    PRIMARY KEY (kind, scope, id)
);

CREATE UNIQUE INDEX resources_uid ON resources (kind, scope, uid) WHERE uid IS NOT NULL;

-- for look-ups that do not know the scope: the version check of each acceptance
CREATE INDEX resources_id ON resources (kind, id);

-- for whoever asks which background tasks are not done
CREATE INDEX resources_running ON resources (id)
WHERE kind = 'task' AND json_extract(document, '$.status') = 'running';

-- What publishers send.
CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY,
    app_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    payload BLOB,
    accepted_at_us INTEGER NOT NULL,
    fanout INTEGER NOT NULL CHECK (fanout >= 0),
    is_raw INTEGER NOT NULL CHECK (is_raw IN (0, 1)),
    event_id TEXT,
    channels TEXT,
    tags TEXT,
    deliver_at_us INTEGER,
    traceparent TEXT
);

-- for an application's listing
CREATE INDEX messages_app ON messages (app_id, id);

CREATE INDEX messages_event ON messages (app_id, event_id, id) WHERE event_id IS NOT NULL;

-- Unfinished deliveries: state and schedule in one narrow row, which leaves when it finishes.
CREATE TABLE deliveries (
    message_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'leased', 'parked')),
    accepted_at_us INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    ready_at_us INTEGER,
    holder TEXT,
    leases INTEGER NOT NULL CHECK (leases >= 0),
    unanswered INTEGER NOT NULL CHECK (unanswered BETWEEN 0 AND leases),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    manual INTEGER NOT NULL CHECK (manual IN (0, 1)),
    resume TEXT,
    resume_at_us INTEGER,
    reason TEXT,
    first_error TEXT,
    last_error TEXT,
    finished_at_us INTEGER CHECK (finished_at_us IS NULL),
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT ready_unless_parked
        CHECK ((ready_at_us IS NOT NULL) = (state IN ('waiting', 'leased'))),
    CONSTRAINT held_iff_leased CHECK ((holder IS NOT NULL) = (state = 'leased')),
    CONSTRAINT resumes_iff_manual
        CHECK ((resume IS NOT NULL) = manual AND (resume_at_us IS NOT NULL) = manual)
) WITHOUT ROWID;

-- for the claim: it walks this index from its beginning and stops at its limit
-- (with the state at its end, the backlog is counted without touching the table)
CREATE INDEX deliveries_ready ON deliveries (ready_at_us, message_id, endpoint_id, state)
    WHERE ready_at_us IS NOT NULL;

-- for the shares: claims walk one lane (an endpoint's deliveries in one state) from its oldest, leases
-- under way are counted, and the next lane is one step away however much is in this one
CREATE INDEX deliveries_lane ON deliveries (state, app_id, endpoint_id, ready_at_us)
    WHERE ready_at_us IS NOT NULL;

-- for an endpoint's listing
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, message_id);

-- for the sweeper, which resumes or cancels what is parked
CREATE INDEX deliveries_parked ON deliveries (app_id, endpoint_id) WHERE state = 'parked';

-- What is left of the limits of endpoints and applications: when the allowance of each is whole again
-- (core/limits.py). Whoever claims for one of them holds its row.
CREATE TABLE allowances (
    id TEXT NOT NULL PRIMARY KEY,
    tat_us INTEGER NOT NULL
) WITHOUT ROWID;

-- Finished deliveries, appended; the same columns.
CREATE TABLE history (
    message_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('delivered', 'dead', 'cancelled')),
    accepted_at_us INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    ready_at_us INTEGER CHECK (ready_at_us IS NULL),
    holder TEXT CHECK (holder IS NULL),
    leases INTEGER NOT NULL CHECK (leases >= 0),
    unanswered INTEGER NOT NULL CHECK (unanswered BETWEEN 0 AND leases),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    manual INTEGER NOT NULL CHECK (manual = 0),
    resume TEXT CHECK (resume IS NULL),
    resume_at_us INTEGER CHECK (resume_at_us IS NULL),
    reason TEXT,
    first_error TEXT,
    last_error TEXT,
    finished_at_us INTEGER NOT NULL,
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT dead_has_reason CHECK (state = 'delivered' OR reason IS NOT NULL)
) WITHOUT ROWID;

-- for an endpoint's listing
CREATE INDEX history_endpoint ON history (endpoint_id, message_id);

-- Dead letters are found at once, by endpoint, by application and over all; only they pay for it.
CREATE INDEX history_dead_endpoint ON history (endpoint_id, message_id) WHERE state = 'dead';
CREATE INDEX history_dead_app ON history (app_id, message_id, endpoint_id) WHERE state = 'dead';
CREATE INDEX history_dead ON history (message_id, endpoint_id) WHERE state = 'dead';

-- for the alerts: whose dead letters there are, how old, and how many of late
-- (the last column is constant; with it the index alone answers)
CREATE INDEX history_dead_age ON history (endpoint_id, finished_at_us, app_id, state)
    WHERE state = 'dead';

-- Where every delivery stands: its hot row, or else its history row.
CREATE VIEW placed AS SELECT * FROM deliveries UNION ALL SELECT * FROM history;

-- HTTP requests made, and what came of them.
CREATE TABLE attempts (
    id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    "trigger" TEXT NOT NULL CHECK ("trigger" IN ('scheduled', 'manual')),
    at_us INTEGER NOT NULL,
    url TEXT NOT NULL,
    reason TEXT NOT NULL,
    status INTEGER,
    first_byte_us INTEGER,
    total_us INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    detail TEXT NOT NULL,
    response_headers TEXT,
    response_body BLOB,
    late INTEGER NOT NULL CHECK (late IN (0, 1)),
    opening TEXT,
    signed TEXT,
    PRIMARY KEY (message_id, id)
);

-- for an endpoint's listing and, without touching the table, its counts
CREATE INDEX attempts_endpoint ON attempts (endpoint_id, id, reason);

-- Every change of a delivery, in the transaction that made it. Only ever appended.
CREATE TABLE delivery_log (
    line INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    mono_us INTEGER NOT NULL,
    holder TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    op TEXT NOT NULL,
    message_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    version_before INTEGER NOT NULL,
    version_after INTEGER NOT NULL,
    rows_written INTEGER NOT NULL CHECK (rows_written IN (0, 1)),
    lease_epoch INTEGER NOT NULL,
    ready_at_us INTEGER,
    attempt_id TEXT,
    attempt_no INTEGER,
    request_bytes INTEGER,
    status INTEGER,
    first_byte_us INTEGER,
    total_us INTEGER,
    outcome TEXT,
    reason TEXT,
    actor TEXT,
    config_version INTEGER,
    due_at_us INTEGER,
    CONSTRAINT from_nowhere_iff_born
        CHECK ((from_state IS NULL) = (op IN ('accepted', 'added')))
);

-- for the books: which deliveries exist by what was said when they were made
-- (the last two columns are constant; with them the index alone answers)
CREATE INDEX delivery_log_born
    ON delivery_log (message_id, endpoint_id, app_id, op, from_state, rows_written)
    WHERE from_state IS NULL AND rows_written = 1;

-- for those who follow what goes wrong: dead letters, and attempts after the first
CREATE INDEX delivery_log_notable ON delivery_log (line)
    WHERE rows_written = 1 AND (to_state = 'dead' OR attempt_no >= 2);

-- Requests that were made before: idempotency keys and event ids.
CREATE TABLE keys (
    digest BLOB NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    message_id TEXT,
    status INTEGER,
    body BLOB,
    expires_at_us INTEGER NOT NULL,
    CONSTRAINT led_to_message_or_reply
        CHECK ((message_id IS NULL) = (status IS NOT NULL) AND (status IS NULL) = (body IS NULL))
) WITHOUT ROWID;

-- for forgetting the expired, a few at each write
CREATE INDEX keys_expiry ON keys (expires_at_us);

-- One row that is written to prove that a write is possible.
CREATE TABLE pulse (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    beats INTEGER NOT NULL
);

-- The desk: each dead letter's place among the issues, written in the commit of its death and removed
-- in that of its leaving; a discarded one keeps its place, marked, for as long as it can be brought
-- back. Issues themselves are documents. Nothing here is written for what is delivered.
CREATE TABLE dead_letters (
    message_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    issue_id TEXT NOT NULL,
    died_at_us INTEGER NOT NULL,
    currency TEXT,
    micro INTEGER,
    discarded_at_us INTEGER,
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT amount_has_currency CHECK ((currency IS NULL) = (micro IS NULL))
) WITHOUT ROWID;

-- for going through an issue's dead letters, some at a time
CREATE INDEX dead_letters_issue ON dead_letters (issue_id, message_id, endpoint_id, discarded_at_us);

-- for counting an issue without touching the table
-- (the last column is constant; with it the index alone answers)
CREATE INDEX dead_letters_burden
    ON dead_letters (issue_id, currency, died_at_us, micro, discarded_at_us)
    WHERE discarded_at_us IS NULL;

-- for what can still be brought back
CREATE INDEX dead_letters_discarded ON dead_letters (app_id, message_id, endpoint_id)
    WHERE discarded_at_us IS NOT NULL;

-- for whoever looks after issues: those that are not done with, and those merged into another
CREATE INDEX resources_unresolved ON resources (id)
WHERE kind = 'issue' AND json_extract(document, '$.state') <> 'resolved';

CREATE INDEX resources_merged ON resources (json_extract(document, '$.merged_into'))
WHERE kind = 'issue' AND json_extract(document, '$.merged_into') IS NOT NULL;

-- Events that objectives are measured by, counted by the minute, the hour and the day.
CREATE TABLE tallies (
    scope TEXT NOT NULL,
    grain_s INTEGER NOT NULL CHECK (grain_s IN (60, 3600, 86400)),
    at_us INTEGER NOT NULL,
    sli TEXT NOT NULL,
    owner TEXT NOT NULL,
    rule TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (scope, grain_s, at_us, sli, owner, rule)
) WITHOUT ROWID;

-- for forgetting
CREATE INDEX tallies_age ON tallies (grain_s, at_us);

-- Attempts that failed, by how; those that did not pay nothing for it.
CREATE INDEX attempts_failed ON attempts (endpoint_id, id, reason, status) WHERE reason <> 'ok';
-- for the life of one delivery: every line but those of a first attempt that goes well and of claims
-- (nothing is written here for what is accepted and delivered, or taken by a claim)
CREATE INDEX delivery_log_life ON delivery_log (message_id, endpoint_id)
    WHERE from_state IS NOT NULL AND (
        op NOT IN ('leased', 'succeeded') OR from_state = 'leased' AND op = 'leased'
        OR rows_written = 0);

-- Words of payloads, by hash (service/text_words.py): segments of some thousand messages, and for
-- each the entries of 256 buckets. Written in the background, never when a message is accepted; the
-- entries of a segment go in the commit that removes one of its payloads.
CREATE TABLE text_segments (
    number INTEGER PRIMARY KEY,
    after TEXT NOT NULL,
    last TEXT NOT NULL,
    pieces TEXT NOT NULL,
    messages INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    stale INTEGER NOT NULL CHECK (stale IN (0, 1))
);

-- for finding the segment of a message
CREATE INDEX text_segments_last ON text_segments (last);

-- for what has to be indexed again
CREATE INDEX text_segments_stale ON text_segments (number) WHERE stale = 1;

-- `place` is 256 times the segment's number, and the bucket's.
CREATE TABLE text_entries (
    place INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
);
