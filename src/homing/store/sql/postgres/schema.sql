-- Everything that Homing remembers, PostgreSQL 14 or later.
-- Times are microseconds since 1970, UTC. Ids sort by the time they were made, as bytes: hence "C".
-- Batches arrive as arrays of a table's own row type, so the order of columns is that of the rows
-- in homing/store/rows.py.
-- The hot path writes messages, deliveries, history, attempts, delivery_log and keys: each index
-- on them has to earn its place, and says how.

-- What people configure: documents. The version column is the truth; the document's own may lag,
-- because an application's is also raised by writes to its endpoints.
CREATE TABLE resources (
    kind text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C",
    version bigint NOT NULL CHECK (version >= 1),
    document text NOT NULL,
    PRIMARY KEY (kind, scope, id)
);

CREATE UNIQUE INDEX resources_uid ON resources (kind, scope, uid) WHERE uid IS NOT NULL;

-- for look-ups that do not know the scope: the version check of each acceptance
CREATE INDEX resources_id ON resources (kind, id);

-- for whoever asks which background tasks are not done
CREATE INDEX resources_running ON resources (id)
WHERE kind = 'task' AND document::jsonb ->> 'status' = 'running';

-- What publishers send.
CREATE TABLE messages (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    app_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    payload bytea,
    accepted_at_us bigint NOT NULL,
    fanout integer NOT NULL CHECK (fanout >= 0),
    is_raw smallint NOT NULL CHECK (is_raw IN (0, 1)),
    event_id text COLLATE "C",
    channels text,
    tags text,
    deliver_at_us bigint,
    traceparent text COLLATE "C"
);

-- for an application's listing
CREATE INDEX messages_app ON messages (app_id, id);

CREATE INDEX messages_event ON messages (app_id, event_id, id) WHERE event_id IS NOT NULL;

-- Unfinished deliveries: state and schedule in one narrow row, which leaves when it finishes.
-- It turns over as fast as messages arrive, so what is dead has to go soon, or each claim walks
-- over it: vacuum after so many rows, however large the table, and without pauses. Some room in
-- each page keeps the new version of a row next to the old one.
CREATE TABLE deliveries (
    message_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'leased', 'parked')),
    accepted_at_us bigint NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    ready_at_us bigint,
    holder text COLLATE "C",
    leases integer NOT NULL CHECK (leases >= 0),
    unanswered integer NOT NULL CHECK (unanswered BETWEEN 0 AND leases),
    failures integer NOT NULL CHECK (failures >= 0),
    manual smallint NOT NULL CHECK (manual IN (0, 1)),
    resume text COLLATE "C",
    resume_at_us bigint,
    reason text,
    first_error text,
    last_error text,
    finished_at_us bigint CHECK (finished_at_us IS NULL),
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT ready_unless_parked CHECK ((ready_at_us IS NOT NULL) = (state IN ('waiting', 'leased'))),
    CONSTRAINT held_iff_leased CHECK ((holder IS NOT NULL) = (state = 'leased')),
    CONSTRAINT resumes_iff_manual
        CHECK ((resume IS NOT NULL) = (manual = 1) AND (resume_at_us IS NOT NULL) = (manual = 1))
) WITH (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_cost_delay = 0
);

-- for the claim: it walks this index from its beginning and stops at its limit
CREATE INDEX deliveries_ready ON deliveries (ready_at_us) WHERE ready_at_us IS NOT NULL;

-- for the shares: claims walk one lane (an endpoint's deliveries in one state) from its oldest, leases
-- under way are counted, and the next lane is one step away however much is in this one
CREATE INDEX deliveries_lane ON deliveries (state, app_id, endpoint_id, ready_at_us)
    WHERE ready_at_us IS NOT NULL;

-- For an endpoint's listing, whose statements say its condition, and for nobody else: a planner that
-- takes the table for empty, as it is most of the time, would read all of this index for one message.
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, message_id) WHERE endpoint_id > '';

-- for the sweeper, which resumes or cancels what is parked
CREATE INDEX deliveries_parked ON deliveries (app_id, endpoint_id) WHERE state = 'parked';

-- What is left of the limits of endpoints and applications: when the allowance of each is whole again
-- (core/limits.py). Whoever claims for one of them holds its row.
CREATE TABLE allowances (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    tat_us bigint NOT NULL
);

-- Finished deliveries, appended; the same columns.
CREATE TABLE history (
    message_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('delivered', 'dead', 'cancelled')),
    accepted_at_us bigint NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    ready_at_us bigint CHECK (ready_at_us IS NULL),
    holder text COLLATE "C" CHECK (holder IS NULL),
    leases integer NOT NULL CHECK (leases >= 0),
    unanswered integer NOT NULL CHECK (unanswered BETWEEN 0 AND leases),
    failures integer NOT NULL CHECK (failures >= 0),
    manual smallint NOT NULL CHECK (manual = 0),
    resume text COLLATE "C" CHECK (resume IS NULL),
    resume_at_us bigint CHECK (resume_at_us IS NULL),
    reason text,
    first_error text,
    last_error text,
    finished_at_us bigint NOT NULL,
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT dead_has_reason CHECK (state = 'delivered' OR reason IS NOT NULL)
);

-- for an endpoint's listing
CREATE INDEX history_endpoint ON history (endpoint_id, message_id);

-- Dead letters are found at once, by endpoint, by application and over all; only they pay for it.
CREATE INDEX history_dead_endpoint ON history (endpoint_id, message_id) WHERE state = 'dead';
CREATE INDEX history_dead_app ON history (app_id, message_id, endpoint_id) WHERE state = 'dead';
CREATE INDEX history_dead ON history (message_id, endpoint_id) WHERE state = 'dead';

-- for the alerts: whose dead letters there are, how old, and how many of late
CREATE INDEX history_dead_age ON history (endpoint_id, finished_at_us, app_id) WHERE state = 'dead';

-- HTTP requests made, and what came of them.
CREATE TABLE attempts (
    id text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    trigger text COLLATE "C" NOT NULL CHECK (trigger IN ('scheduled', 'manual')),
    at_us bigint NOT NULL,
    url text NOT NULL,
    reason text COLLATE "C" NOT NULL,
    status integer,
    first_byte_us bigint,
    total_us bigint NOT NULL,
    request_bytes bigint NOT NULL,
    detail text NOT NULL,
    response_headers text,
    response_body bytea,
    late smallint NOT NULL CHECK (late IN (0, 1)),
    opening text COLLATE "C",
    signed text COLLATE "C",
    PRIMARY KEY (message_id, id)
);

-- for an endpoint's listing and, without touching the table, its counts
CREATE INDEX attempts_endpoint ON attempts (endpoint_id, id, reason);

-- Every change of a delivery, in the transaction that made it. Only ever appended.
-- `transaction` puts lines in an order that no later commit can slip in before: a line is shown
-- once every transaction that began before its own has ended.
-- Of one delivery it is the versions that tell the order: a claim within limits may have begun before
-- what it takes was accepted, and its line stands before the other then.
CREATE TABLE delivery_log (
    at_us bigint NOT NULL,
    mono_us bigint NOT NULL,
    holder text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    op text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    from_state text COLLATE "C",
    to_state text COLLATE "C" NOT NULL,
    version_before bigint NOT NULL,
    version_after bigint NOT NULL,
    rows_written smallint NOT NULL CHECK (rows_written IN (0, 1)),
    lease_epoch integer NOT NULL,
    ready_at_us bigint,
    attempt_id text COLLATE "C",
    attempt_no integer,
    request_bytes bigint,
    status integer,
    first_byte_us bigint,
    total_us bigint,
    outcome text COLLATE "C",
    reason text,
    actor text,
    config_version bigint,
    due_at_us bigint,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    line bigint GENERATED ALWAYS AS IDENTITY (CACHE 100),
    PRIMARY KEY (transaction, line),
    CONSTRAINT from_nowhere_iff_born
        CHECK ((from_state IS NULL) = (op IN ('accepted', 'added')))
);

-- for the books: which deliveries exist by what was said when they were made
CREATE INDEX delivery_log_born ON delivery_log (message_id, endpoint_id, app_id, op)
    WHERE from_state IS NULL AND rows_written = 1;

-- for those who follow what goes wrong: dead letters, and attempts after the first
CREATE INDEX delivery_log_notable ON delivery_log (transaction, line)
    WHERE rows_written = 1 AND (to_state = 'dead' OR attempt_no >= 2);

-- Requests that were made before: idempotency keys and event ids.
CREATE TABLE keys (
    digest bytea NOT NULL PRIMARY KEY,
    fingerprint bytea NOT NULL,
    message_id text COLLATE "C",
    status integer,
    body bytea,
    expires_at_us bigint NOT NULL,
    CONSTRAINT led_to_message_or_reply
        CHECK ((message_id IS NULL) = (status IS NOT NULL) AND (status IS NULL) = (body IS NULL))
);

-- for forgetting the expired, a few at each write
CREATE INDEX keys_expiry ON keys (expires_at_us);

-- One row that is written to prove that a write is possible.
CREATE TABLE pulse (
    one integer PRIMARY KEY CHECK (one = 1),
    beats bigint NOT NULL
) WITH (fillfactor = 10);

-- The desk: each dead letter's place among the issues, written in the commit of its death and removed
-- in that of its leaving; a discarded one keeps its place, marked, for as long as it can be brought
-- back. Issues themselves are documents. Nothing here is written for what is delivered.
CREATE TABLE dead_letters (
    message_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    issue_id text COLLATE "C" NOT NULL,
    died_at_us bigint NOT NULL,
    currency text COLLATE "C",
    micro bigint,
    discarded_at_us bigint,
    PRIMARY KEY (message_id, endpoint_id),
    CONSTRAINT amount_has_currency CHECK ((currency IS NULL) = (micro IS NULL))
);

-- for going through an issue's dead letters, some at a time
CREATE INDEX dead_letters_issue ON dead_letters (issue_id, message_id, endpoint_id, discarded_at_us);

-- for counting an issue without touching the table
CREATE INDEX dead_letters_burden ON dead_letters (issue_id, currency, died_at_us, micro)
    WHERE discarded_at_us IS NULL;

-- for what can still be brought back
CREATE INDEX dead_letters_discarded ON dead_letters (app_id, message_id, endpoint_id)
    WHERE discarded_at_us IS NOT NULL;

-- for whoever looks after issues: those that are not done with, and those merged into another
-- (by the states that these are: of a list the planner thinks it is short)
CREATE INDEX resources_unresolved ON resources (id)
WHERE kind = 'issue' AND document::jsonb ->> 'state' IN ('open', 'acknowledged', 'muted');

CREATE INDEX resources_merged ON resources ((document::jsonb ->> 'merged_into'))
WHERE kind = 'issue' AND document::jsonb ->> 'merged_into' IS NOT NULL;

-- Events that objectives are measured by, counted by the minute, the hour and the day.
CREATE TABLE tallies (
    scope text COLLATE "C" NOT NULL,
    grain_s integer NOT NULL CHECK (grain_s IN (60, 3600, 86400)),
    at_us bigint NOT NULL,
    sli text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (scope, grain_s, at_us, sli, owner, rule)
);

-- for forgetting
CREATE INDEX tallies_age ON tallies (grain_s, at_us);

-- Attempts that failed, by how; those that did not pay nothing for it.
CREATE INDEX attempts_failed ON attempts (endpoint_id, id, reason, status) WHERE reason <> 'ok';
-- for the life of one delivery: every line but those of a first attempt that goes well and of claims
-- (nothing is written here for what is accepted and delivered, or taken by a claim)
CREATE INDEX delivery_log_life ON delivery_log (message_id, endpoint_id, transaction, line)
    WHERE from_state IS NOT NULL AND (
        op NOT IN ('leased', 'succeeded') OR from_state = 'leased' AND op = 'leased'
        OR rows_written = 0);

-- Words of payloads, by hash (service/text_words.py): segments of some thousand messages, and for
-- each the entries of 256 buckets. Written in the background, never when a message is accepted; the
-- entries of a segment go in the commit that removes one of its payloads.
CREATE TABLE text_segments (
    number bigint PRIMARY KEY,
    after text COLLATE "C" NOT NULL,
    last text COLLATE "C" NOT NULL,
    pieces text NOT NULL,
    messages bigint NOT NULL,
    text_bytes bigint NOT NULL,
    stale smallint NOT NULL CHECK (stale IN (0, 1))
);

-- for finding the segment of a message
CREATE INDEX text_segments_last ON text_segments (last);

-- for what has to be indexed again
CREATE INDEX text_segments_stale ON text_segments (number) WHERE stale = 1;

-- `place` is 256 times the segment's number, and the bucket's.
CREATE TABLE text_entries (
    place bigint PRIMARY KEY,
    entries bytea NOT NULL
);
