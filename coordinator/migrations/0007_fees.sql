-- expand
-- What a withdrawal costs a partner's users: versions of a schedule, the newest in force, and the quotes given.

create table fee_schedules (
    partner_id text not null references partners (id),
    network text not null,
    asset text not null references assets (code),
    version bigint not null check (version >= 1),
    flat_minor bigint not null check (flat_minor >= 0),
    basis_points bigint not null check (basis_points between 0 and 10000),
    least_minor bigint not null check (least_minor >= 0),
    most_minor bigint check (most_minor is null or most_minor >= least_minor),
    made_by text not null,
    made_at bigint not null,
    primary key (partner_id, network, asset, version)
);

create table withdrawal_quotes (
    id text primary key,
    user_id text not null,
    network text not null,
    asset text not null,
    amount_minor bigint not null check (amount_minor > 0),
    fee_minor bigint not null check (fee_minor >= 0),
    made_at bigint not null,
    expires_at bigint not null check (expires_at > made_at)
);

-- append-only: fee_schedules
-- append-only: withdrawal_quotes
