-- Who did what: one row per action, never changed.

create table audit_rows (
    id text primary key,
    made_at bigint not null,
    who text not null,
    action text not null,
    subject text not null,
    request_id text not null,
    detail text not null
);

create index audit_by_time on audit_rows (made_at);

-- append-only: audit_rows
