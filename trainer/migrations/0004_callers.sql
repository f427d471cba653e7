-- Bundles have another schema: models of before cannot be read by this version; no release has stored any.
update training_runs set model = null;
delete from publications;
delete from models;

-- What one caller, or one address, did.
create index exchange_records_caller on exchange_records (scope, caller, at);
create index exchange_records_address on exchange_records (scope, address, at);

-- Callers and addresses that filters are told to watch.
create table watchlist (
    scope text not null,
    subject_kind text not null check (subject_kind in ('caller', 'address')),
    -- Keyed hash.
    subject bigint not null,
    reason text not null,
    score real not null,
    alarms bigint not null default 1,
    -- 'detected', or the operator who put it there, as tokens are written: operator:shop.
    source text not null,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    expires_at timestamptz not null,
    -- Until then it is not put there again by itself: a person said that it is nothing.
    cleared_until timestamptz,
    primary key (scope, subject_kind, subject)
);

create index watchlist_expiry on watchlist (scope, expires_at desc);

-- Counts up with every change that filters must hear of.
create table watchlist_revisions (
    scope text primary key,
    revision bigint not null
);
