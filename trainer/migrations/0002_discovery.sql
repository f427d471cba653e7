-- Discovery from the store. Records and models of before cannot be read by this version; no release has stored any, so they are
-- dropped. Serials begin again at the floor: filters of this version start without a bundle, too.
truncate exchange_records;
update training_runs set model = null;
delete from publications;
delete from models;

-- The transaction that wrote a record. Who remembers under which snapshot it read finds what that did not show, whatever the
-- order in which transactions are committed; a number from a sequence or a time would miss those that are committed late.
alter table exchange_records add column transaction xid8 not null default pg_current_xact_id();

create index exchange_records_scope_transaction on exchange_records (scope, transaction);

-- The URL graph of each scope, of the records that the snapshot shows.
create table scope_graphs (
    scope text primary key,
    version smallint not null,
    snapshot pg_snapshot not null,
    exchanges bigint not null,
    written_at timestamptz not null default now(),
    -- Compressed MessagePack; of one version of the trainer, others build the graph again from the records.
    graph bytea not null
);

-- It is compressed already.
alter table scope_graphs alter column graph set storage external;

-- What people decided about templates.
create table endpoint_corrections (
    id bigint generated always as identity primary key,
    scope text not null,
    kind text not null check (kind in ('pin', 'split', 'merge')),
    host text not null,
    template text not null,
    created_at timestamptz not null default now(),
    -- The token's role and scope, as tokens are written: operator:shop, operator:*.
    created_by text not null,
    unique (scope, kind, host, template)
);
