-- expand
-- Partners' API keys. The secret is kept because signatures need it, sealed under a key that is not in the database
-- (keys/seal.rs); it is shown once, when it is made.

create table api_keys (
    id text primary key,
    partner_id text not null references partners (id),
    label text not null,
    sealed_secret text not null,
    -- Names of scopes and networks (CIDR), each separated by commas; no networks: from anywhere.
    scopes text not null check (scopes <> ''),
    networks text not null,
    -- The key whose place this one took.
    replaces text references api_keys (id),
    made_by text not null,
    made_at bigint not null,
    expires_at bigint,
    -- From this moment on it is refused: set when it is ended, or rotated with an overlap.
    ends_at bigint,
    ended_by text,
    last_used_at bigint,
    check (expires_at is null or expires_at > made_at),
    check ((ends_at is null) = (ended_by is null))
);

create index api_keys_by_partner on api_keys (partner_id, made_at, id);
create unique index api_keys_replaced_once on api_keys (replaces) where replaces is not null;
