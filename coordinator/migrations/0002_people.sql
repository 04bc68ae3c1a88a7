-- expand
-- Tenants, their people and end users, how they log in, and what they are allowed.

-- The house is a tenant like any partner; its people see everyone's data, its users are those who signed up.
create table partners (
    id text primary key,
    name text not null unique,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null
);

insert into partners (id, name, active, made_at) values ('house', 'house', 1, 0);

-- A partner's own system calls its users by external id; who signed up here has none.
create table users (
    id text primary key,
    partner_id text not null references partners (id),
    external_id text,
    active bigint not null check (active in (0, 1)),
    made_at bigint not null,
    unique (partner_id, external_id)
);

-- The id is a person id as batches and policies spell it: a-z 0-9 . _ @ -
create table people (
    id text primary key,
    partner_id text not null references partners (id),
    active bigint not null check (active in (0, 1)),
    made_at bigint not null
);

create index people_by_partner on people (partner_id);

create table person_roles (
    person_id text not null references people (id),
    role text not null check (role in ('operator', 'approver', 'auditor', 'administrator')),
    primary key (person_id, role)
);

-- How a user or person logs in. The secret of the second factor is sealed under the home's seal.key for this row alone;
-- `totp_step` is the last step accepted, so that none is taken twice. `changed_at` is when the password or a second
-- factor last changed: withdrawals cool off from then.
create table logins (
    kind text not null check (kind in ('user', 'person')),
    owner text not null,
    email text not null,
    email_folded text not null unique,
    password_hash text,
    totp_sealed text,
    totp_offered text,
    totp_step bigint not null,
    accepted bigint not null check (accepted in (0, 1)),
    changed_at bigint not null,
    made_at bigint not null,
    primary key (kind, owner)
);

-- pending: password given, code awaited, `secret_digest` is that of the challenge. limited: no second factor yet
-- although one is needed, so only the own account is open. open. ended.
create table sessions (
    id text primary key,
    kind text not null check (kind in ('user', 'person')),
    owner text not null,
    state text not null check (state in ('pending', 'limited', 'open', 'ended')),
    secret_digest text not null unique,
    made_at bigint not null,
    used_at bigint not null,
    expires_at bigint not null,
    stepped_up_at bigint,
    failures bigint not null check (failures >= 0),
    ended_at bigint,
    ended_why text,
    address text not null,
    agent text not null,
    check ((state = 'ended') = (ended_at is not null))
);

create index sessions_by_owner on sessions (kind, owner, state);

-- Refresh tokens that were exchanged: one presented again ends its session.
create table spent_refresh_tokens (
    digest text primary key,
    session_id text not null references sessions (id),
    spent_at bigint not null
);

create table recovery_codes (
    digest text primary key,
    kind text not null check (kind in ('user', 'person')),
    owner text not null,
    made_at bigint not null,
    used_at bigint
);

create index recovery_codes_by_owner on recovery_codes (kind, owner);

-- What was tried under one key: an account (digest of its e-mail, known here or not), a second factor, an address.
create table login_failures (
    key text primary key,
    failures bigint not null check (failures >= 0),
    last_at bigint not null,
    not_before bigint not null
);

-- `roles` is a comma-separated list in alphabetical order, empty for none.
create table invitations (
    id text primary key,
    digest text not null unique,
    partner_id text not null references partners (id),
    person_id text not null,
    email text not null,
    roles text not null,
    direct bigint not null check (direct in (0, 1)),
    made_by text not null,
    made_at bigint not null,
    expires_at bigint not null,
    used_at bigint
);

-- One person proposes, another decides.
create table role_changes (
    id text primary key,
    person_id text not null references people (id),
    before_roles text not null,
    after_roles text not null,
    state text not null check (state in ('proposed', 'approved', 'rejected')),
    proposed_by text not null,
    proposed_at bigint not null,
    expires_at bigint not null,
    decided_by text,
    decided_at bigint,
    check ((state = 'proposed') = (decided_at is null)),
    check (decided_by is null or decided_by <> proposed_by)
);

create index role_changes_by_person on role_changes (person_id);

-- Keys on people's own authenticators: their public halves.
create table passkeys (
    credential_digest text primary key,
    kind text not null check (kind in ('user', 'person')),
    owner text not null,
    credential text not null,
    public_key text not null,
    counter bigint not null check (counter >= 0),
    label text not null,
    made_at bigint not null,
    used_at bigint
);

create index passkeys_by_owner on passkeys (kind, owner);

-- What a browser is asked to sign; each once.
create table passkey_challenges (
    challenge text primary key,
    session_id text not null references sessions (id),
    expires_at bigint not null
);
