-- The trainer's store. The distribution key (scope, host, caller) comes first, so that the same statements can run on Citus.
-- 64-bit hashes are kept as bigint with the same bits.

create table telemetry_batches (
    scope text not null,
    sender text not null,
    sequence bigint not null,
    received_at timestamptz not null default now(),
    records integer not null,
    records_refused integer not null,
    records_dropped bigint not null,
    primary key (scope, sender, sequence)
);

create index telemetry_batches_received_at on telemetry_batches (received_at);

-- One exchange as a filter reported it or an import extracted it. `record` is the MessagePack of the whole record; the other
-- columns are what SQL asks for.
create table exchange_records (
    scope text not null,
    host text not null,
    caller bigint,
    at timestamptz not null,
    address bigint,
    network bigint,
    distinct_caller bigint,
    method text not null,
    endpoint text,
    status smallint,
    failed boolean not null,
    anomalous boolean,
    weight real not null,
    hash_key_id text not null,
    record bytea not null
) partition by range (at);

create index exchange_records_scope_at on exchange_records (scope, at);
create index exchange_records_failures on exchange_records (scope, host, at) where failed;

-- Exact counts of exchanges, also of those that were sampled away.
create table endpoint_counts (
    scope text not null,
    endpoint text not null,
    exchanges bigint not null,
    anomalous bigint not null,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    primary key (scope, endpoint)
);

-- Anomalies grouped by subject, endpoint and reason (kind 'caller'), and failures of a whole host or endpoint (kind 'incident').
create table detections (
    id bigint generated always as identity primary key,
    scope text not null,
    kind text not null check (kind in ('caller', 'incident')),
    -- Keyed hash of the caller, or of the address where there is none; null for incidents and for traffic without both.
    subject bigint,
    subject_kind text check (subject_kind in ('caller', 'address')),
    host text not null,
    endpoint text not null,
    finding_key bigint not null,
    finding text not null,
    detector text,
    phase text,
    reason text not null,
    exchanges bigint not null check (exchanges > 0),
    blocked bigint not null default 0,
    callers integer,
    score real not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    request_id text
);

create unique index detections_group on detections (scope, kind, coalesce(subject, 0), host, endpoint, finding_key)
    where kind = 'caller';
create index detections_scope_last_seen on detections (scope, last_seen desc, id desc);
create index detections_incidents on detections (scope, host, last_seen) where kind = 'incident';

create table captures (
    id bigint generated always as identity primary key,
    scope text not null,
    captured_at timestamptz not null,
    received_at timestamptz not null default now(),
    request_id text,
    capture bytea not null
);

create index captures_scope on captures (scope, id);
create index captures_received_at on captures (received_at);

-- What each sender last said of its bundle and its losses.
create table senders (
    scope text not null,
    sender text not null,
    bundle text,
    bundle_serial bigint,
    records_dropped bigint not null default 0,
    refusals bigint not null default 0,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    primary key (scope, sender)
);

create table bundle_refusals (
    id bigint generated always as identity primary key,
    scope text not null,
    sender text not null,
    serial bigint,
    reason text not null,
    reported_at timestamptz not null default now()
);

create index bundle_refusals_scope on bundle_refusals (scope, reported_at desc);
create index bundle_refusals_reported_at on bundle_refusals (reported_at);

create table models (
    id text primary key,
    scope text not null,
    parent text,
    created_at timestamptz not null default now(),
    state text not null check (state in ('ready', 'rejected')),
    reason text,
    hash_key_id text not null,
    report jsonb not null,
    -- MessagePack of the bundle's content, serial 0 and unsigned.
    content bytea not null
);

create index models_scope on models (scope, created_at desc);

-- Every publishing of a model; the one with the highest serial is active.
create table publications (
    scope text not null,
    serial bigint not null,
    model text not null references models (id),
    cause text not null check (cause in ('training', 'activation', 'roll-back')),
    etag text not null,
    published_at timestamptz not null default now(),
    -- The signed file; dropped once a higher serial is out.
    bundle bytea,
    primary key (scope, serial)
);

create table training_runs (
    id bigint generated always as identity primary key,
    scope text not null,
    state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'rejected')),
    cause text not null check (cause in ('request', 'schedule', 'command')),
    -- The operator's word that the model is published although the gate would refuse it.
    force boolean not null default false,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    -- Fencing token of the worker that holds the run; a worker that lost it can no longer finish the run.
    claim text,
    heartbeat_at timestamptz,
    attempts smallint not null default 0,
    progress jsonb,
    error text,
    model text references models (id),
    report jsonb
);

create index training_runs_scope on training_runs (scope, id desc);
-- At most one run of a scope waits and one works, so that a busy schedule cannot pile runs up.
create unique index training_runs_queued on training_runs (scope) where state = 'queued';
create unique index training_runs_running on training_runs (scope) where state = 'running';
