-- Partners, their users, our operators, and the bearer credentials of each.

create table partners (
    id text primary key,
    name text not null unique,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null
);

create table users (
    id text primary key,
    partner_id text not null references partners (id),
    external_id text not null,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null,
    unique (partner_id, external_id)
);

-- The id is a person id as batches and policies spell it: a-z 0-9 . _ @ -
create table operators (
    id text primary key,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null
);

-- Only the SHA-256 of a token is kept; the token itself is shown once.
create table credentials (
    token_digest text primary key,
    role text not null check (role in ('partner', 'user', 'operator')),
    owner text not null,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null
);

create index credentials_by_owner on credentials (owner);
