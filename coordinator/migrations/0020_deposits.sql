-- expand
-- Deposit addresses derived from xpubs, what arrived at them, and how far each chain has been read.

-- The deposit account of a network, as the signer exported it. EVM networks of one profile share an xpub.
create table deposit_xpubs (
    network text primary key,
    path text not null,
    xpub text not null,
    fingerprint text not null,
    signer text not null,
    imported_by text not null,
    made_at bigint not null
);

-- The next unused index of each xpub. One sequence for all networks that share it, so that the same
-- address never belongs to two users.
create table deposit_sequences (
    xpub text primary key,
    next_index bigint not null check (next_index between 0 and 2147483647)
);

create table deposit_addresses (
    number bigint primary key,
    network text not null,
    address text not null,
    user_id text not null references users (id),
    label text not null,
    xpub text not null,
    path text not null,
    path_index bigint not null check (path_index between 0 and 2147483647),
    made_at bigint not null,
    unique (network, address),
    unique (network, user_id, label)
);

create index deposit_addresses_by_address on deposit_addresses (address);
create index deposit_addresses_by_user on deposit_addresses (user_id, xpub, label);

-- Ranges of a network's deposit addresses that its signer attested (binary document, hex). The newest range that has
-- an index proves it.
create table deposit_attestations (
    digest text primary key,
    network text not null references deposit_xpubs (network),
    first_index bigint not null check (first_index between 0 and 2147483647),
    address_count bigint not null check (address_count between 1 and 100000),
    document text not null,
    imported_by text not null,
    made_at bigint not null
);

create index deposit_attestations_by_network on deposit_attestations (network, first_index);

-- The leaves of a range's tree (hex), 256 to a row, and the root over the row's own.
create table attested_leaves (
    attestation text not null references deposit_attestations (digest),
    chunk bigint not null check (chunk between 0 and 390),
    leaves text not null,
    root text not null,
    primary key (attestation, chunk)
);

create table deposits (
    id text primary key,
    network text not null,
    tx_id text not null,
    ordinal bigint not null check (ordinal >= -1),
    user_id text not null references users (id),
    address text not null,
    sender text not null,
    coin text not null,
    asset text not null references assets (code),
    amount_base text not null,
    amount_minor bigint check (amount_minor >= 0),
    state text not null check (state in ('seen', 'confirming', 'credited', 'orphaned', 'rejected', 'suspense')),
    reason text not null,
    height bigint not null,
    block_id text not null,
    block_time bigint not null,
    told_by text not null,
    confirmed_by text,
    seen_at bigint not null,
    final_at bigint,
    credited_at bigint,
    unique (network, tx_id, ordinal),
    check (state <> 'credited' or (credited_at is not null and confirmed_by is not null and amount_minor is not null))
);

create index deposits_by_user on deposits (user_id, seen_at);
create index deposits_by_time on deposits (seen_at, id);
create index deposits_by_state on deposits (network, state, height);

-- How far the final chain has been read. `halted` is empty, or says why nothing more is read or credited.
create table chain_cursors (
    network text primary key,
    height bigint not null check (height >= 0),
    block_id text not null,
    halted text not null,
    changed_at bigint not null
);

-- Blocks above the cursor whose deposits are pending, to see a reorganisation.
create table chain_pending_blocks (
    network text not null,
    height bigint not null,
    block_id text not null,
    primary key (network, height)
);

-- Logs of genuine tokens that have not the shape of a transfer; a person closes them.
create table quarantined_logs (
    network text not null,
    tx_id text not null,
    ordinal bigint not null,
    contract text not null,
    height bigint not null,
    what text not null,
    state text not null check (state in ('open', 'closed')),
    made_at bigint not null,
    primary key (network, tx_id, ordinal)
);

-- append-only: deposit_attestations
-- append-only: attested_leaves
