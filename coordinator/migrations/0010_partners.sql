-- expand
-- Wallets that a partner watches: what they hold as last read from final blocks, and what shall be done about it.

create table partner_wallets (
    id text primary key,
    partner_id text not null references partners (id),
    network text not null,
    address text not null,
    role text not null check (role in ('hot', 'cold')),
    label text not null,
    active bigint not null check (active in (0, 1)),
    -- Sweep what is above the threshold; buy energy when less is left than the threshold.
    sweep bigint not null check (sweep in (0, 1)),
    sweep_asset text not null references assets (code),
    sweep_threshold_minor bigint not null check (sweep_threshold_minor >= 0),
    energy bigint not null check (energy in (0, 1)),
    energy_threshold bigint not null check (energy_threshold >= 0),
    -- When it was last asked about, successfully or not, so that a silent provider is not asked without pause.
    asked_at bigint not null,
    made_by text not null,
    made_at bigint not null,
    changed_at bigint not null,
    unique (partner_id, network, address)
);

create index partner_wallets_by_time on partner_wallets (made_at, id);
create index partner_wallets_by_asking on partner_wallets (network, active, asked_at);

-- `what` is an asset's code (amount in base units) or the word energy (units left); one row each, the newest.
create table partner_wallet_readings (
    wallet_id text not null references partner_wallets (id),
    what text not null,
    amount text not null,
    -- The time of the block that it was read at.
    at_ms bigint not null,
    primary key (wallet_id, what)
);
