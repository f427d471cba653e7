-- The payload detector. Models of before cannot be read by this version; no release has stored any.
update training_runs set model = null;
delete from publications;
delete from models;

-- A model is also published again when what people decided about it changes.
alter table publications drop constraint publications_cause_check;
alter table publications add constraint publications_cause_check
    check (cause in ('training', 'activation', 'roll-back', 'exception'));

-- Where values that look like attacks are none, or are from another threshold on. What is null stands for all.
create table payload_exceptions (
    id bigint generated always as identity primary key,
    scope text not null,
    -- Endpoint id as the API shows it, 16 hexadecimal digits.
    endpoint text,
    location text,
    name text,
    class text,
    -- Log-odds in nats; null where a value never is an attack.
    threshold real,
    created_at timestamptz not null default now(),
    -- The token's role and scope, as tokens are written: operator:shop, operator:*.
    created_by text not null
);

create index payload_exceptions_scope on payload_exceptions (scope, id);
