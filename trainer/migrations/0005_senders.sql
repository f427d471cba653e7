-- Hash of the filter's random id that reported the record. Not known of imports and of older records.
alter table exchange_records add column sender bigint;
