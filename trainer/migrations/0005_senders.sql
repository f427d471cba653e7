-- Bundles have another schema: models of before cannot be read by this version; no release has stored any.
update training_runs set model = null;
delete from publications;
delete from models;

-- Hash of the filter's random id that reported the record. Not known of imports and of older records.
alter table exchange_records add column sender bigint;
