-- expand
-- Who did what: one row per action, in the commit of what it records, numbered without a gap by the writer, never changed.
-- The links chain the rows off the hot path: each covers rows `first` to `last` with their digests, and is signed.

create table audit_rows (
    number bigint primary key check (number >= 1),
    made_at bigint not null check (made_at >= 0),
    who text not null,
    tenant text not null,
    address text not null,
    request_id text not null,
    action text not null,
    subject text not null,
    before text not null,
    after text not null
);

-- Transfers are many and are found in the ledger; keeping them out of these leaves the hot path one b-tree to write.
create index audit_rows_by_who on audit_rows (who, number) where action <> 'transfer.make';
create index audit_rows_by_subject on audit_rows (subject, number) where action <> 'transfer.make';
create index audit_rows_by_tenant on audit_rows (tenant, number) where action <> 'transfer.make';

create table audit_links (
    first bigint primary key check (first >= 1),
    last bigint not null unique,
    made_at bigint not null check (made_at >= 0),
    digests text not null,
    digest text not null,
    signer text not null,
    signature text not null,
    check (last >= first)
);

-- append-only: audit_rows
-- append-only: audit_links
