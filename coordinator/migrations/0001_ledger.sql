-- expand
-- Double entry. A transfer is one business event; its entries balance per asset. Balances are rows,
-- changed in the same commit as the entries, and `ledger verify` replays the entries to prove them.

create table assets (
    code text primary key,
    decimals bigint not null check (decimals between 0 and 18)
);

-- How many decimals an asset has on a network; fixed for ever once money has moved.
create table asset_networks (
    asset text not null references assets (code),
    network text not null,
    base_decimals bigint not null check (base_decimals between 0 and 77),
    primary key (asset, network)
);

create table accounts (
    id bigint primary key,
    kind text not null check (kind in ('user_available', 'user_held', 'partner', 'capital', 'fees_earned',
        'suspense', 'rounding', 'reserve', 'in_transit', 'network_fees', 'energy_cost')),
    owner text not null,
    network text not null,
    wallet text not null,
    asset text not null references assets (code),
    side text not null check (side in ('debit', 'credit')),
    balance_minor bigint not null,
    dust_base text not null,
    unique (kind, owner, network, wallet, asset),
    check (kind not in ('user_available', 'user_held', 'partner') or balance_minor >= 0)
);

create index accounts_by_owner on accounts (owner, asset);

create table transfers (
    id bigint primary key,
    kind text not null,
    reference text not null,
    made_at bigint not null,
    note text,
    made_by text,
    unique (kind, reference)
);

create table entries (
    transfer_id bigint not null references transfers (id),
    line bigint not null,
    account_id bigint not null references accounts (id),
    side text not null check (side in ('debit', 'credit')),
    amount_minor bigint not null check (amount_minor >= 0),
    amount_base text,
    primary key (transfer_id, line),
    check (amount_minor > 0 or amount_base is not null)
);

create index entries_by_account on entries (account_id, transfer_id);

create table holds (
    id text primary key,
    owner text not null,
    asset text not null references assets (code),
    amount_minor bigint not null check (amount_minor > 0),
    state text not null check (state in ('held', 'settled', 'released')),
    made_at bigint not null,
    ended_at bigint,
    check ((state = 'held') = (ended_at is null))
);

create table idempotency_keys (
    owner text not null,
    idempotency_key text not null,
    request_digest text not null,
    status bigint not null,
    body text not null,
    made_at bigint not null,
    primary key (owner, idempotency_key)
);

-- One 64-bit sequence of item ids for every kind of movement; the high 16 bits are the restore epoch.
create table item_sequence (
    only_row bigint primary key check (only_row = 1),
    epoch bigint not null check (epoch between 0 and 32767),
    last_number bigint not null check (last_number between 0 and 281474976710655)
);

insert into item_sequence (only_row, epoch, last_number) values (1, 0, 0);

-- append-only: transfers
-- append-only: entries
-- append-only: idempotency_keys
-- checked as sets: entries (transfer_id) transfers
-- checked as sets: entries (account_id) accounts
-- changed in place: accounts
