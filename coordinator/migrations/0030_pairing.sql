-- expand
-- Paired signers, what is known of their journals, the policies and wallets that came from them, and alerts.

-- `introduction` is the signer's introduction document (binary, hex); its roster checks every policy.
create table signers (
    identity text primary key,
    -- Whose signer: its wallets pay this partner's withdrawals only; the house's pay those of partners without one.
    partner_id text not null references partners (id),
    fingerprint text not null unique,
    name text not null,
    introduction text not null,
    state text not null check (state in ('active', 'suspended')),
    head_sequence bigint check (head_sequence >= 1),
    paired_by text not null,
    made_at bigint not null,
    changed_at bigint not null
);

-- Every journal entry a signer has shown (canonical CBOR, hex) with the head it makes. Another head at the same
-- sequence is a fork of the journal.
create table journal_heads (
    signer text not null references signers (identity),
    sequence bigint not null check (sequence >= 1),
    head text not null,
    entry text not null,
    made_at bigint not null,
    primary key (signer, sequence)
);

create table policies (
    digest text primary key,
    signer text not null references signers (identity),
    name text not null,
    version bigint not null check (version >= 0),
    document text not null,
    imported_by text not null,
    made_at bigint not null,
    unique (signer, name, version)
);

create table wallets (
    network text not null,
    address text not null,
    role text not null check (role in ('deposit', 'hot', 'cold', 'energy')),
    wallet_index bigint not null check (wallet_index between 0 and 2147483647),
    signer text not null references signers (identity),
    imported_by text not null,
    made_at bigint not null,
    primary key (network, address),
    unique (network, role, wallet_index, signer)
);

-- Something a person must look at.
create table alerts (
    id text primary key,
    -- Whose people see it beside the house's.
    partner_id text not null references partners (id),
    kind text not null,
    subject text not null,
    what text not null,
    state text not null check (state in ('open', 'closed')),
    made_at bigint not null,
    changed_at bigint not null
);

create index alerts_by_state on alerts (state, made_at);
create unique index alerts_open_once on alerts (kind, subject) where state = 'open';

-- append-only: journal_heads
-- append-only: policies
