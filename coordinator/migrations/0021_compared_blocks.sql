-- expand
-- Up to which height final blocks were told alike by two providers. What was read before this column existed is taken as it is.
alter table chain_cursors add column compared_height bigint not null default 0 check (compared_height >= 0);

update chain_cursors set compared_height = height;
