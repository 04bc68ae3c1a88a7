-- expand
-- Effects of a commit, committed with it; workers claim them with a lease and do them at least once.

create table outbox (
    id text primary key,
    topic text not null,
    subject text not null,
    body text not null,
    state text not null check (state in ('waiting', 'done', 'dead')),
    attempts bigint not null,
    due_at bigint not null,
    lease_until bigint not null,
    fence bigint not null,
    last_error text,
    request_id text not null,
    made_at bigint not null,
    unique (topic, subject)
);

create index outbox_due on outbox (state, topic, due_at);
