-- expand
-- Withdrawals, every transition they made, the approvals, and the attempts to pay them on chain.

create table withdrawals (
    id text primary key,
    item_id bigint not null unique,
    partner_id text not null references partners (id),
    user_id text not null references users (id),
    requested_by text not null,
    request_id text not null,
    network text not null,
    asset text not null references assets (code),
    destination text not null,
    amount_minor bigint not null check (amount_minor > 0),
    amount_base text not null,
    fee_minor bigint not null check (fee_minor >= 0),
    memo text,
    state text not null check (state in ('pending', 'approved', 'queued', 'wallet_funded', 'processing',
        'signing', 'signed', 'energy_requested', 'energy_received', 'broadcasting', 'broadcasted',
        'confirming', 'completed', 'failed', 'cancelled')),
    revision bigint not null check (revision >= 1),
    batch_id text,
    made_at bigint not null,
    changed_at bigint not null
);

create index withdrawals_by_state on withdrawals (state, network, made_at);
create index withdrawals_by_user on withdrawals (user_id, made_at);
create index withdrawals_by_partner on withdrawals (partner_id, made_at);
create index withdrawals_by_time on withdrawals (made_at, id);
create index withdrawals_by_batch on withdrawals (batch_id);

create table withdrawal_transitions (
    withdrawal_id text not null references withdrawals (id),
    number bigint not null check (number >= 1),
    from_state text not null,
    to_state text not null,
    event text not null,
    who text not null,
    why text not null,
    made_at bigint not null,
    primary key (withdrawal_id, number)
);

create table withdrawal_approvals (
    withdrawal_id text not null references withdrawals (id),
    operator_id text not null references people (id),
    revision bigint not null,
    made_at bigint not null,
    primary key (withdrawal_id, operator_id, revision)
);

-- One row per try to pay. From `exported` on it counts as possibly on chain until it is proven dead. `may_be_signed` is 1
-- from `exported` on and 0 again only by the signer's signed refusal: a batch that was merely dropped may have been signed.
create table attempts (
    id text primary key,
    withdrawal_id text not null references withdrawals (id),
    batch_id text not null,
    request_id text not null,
    item_index bigint not null check (item_index >= 0),
    network text not null,
    source text not null,
    account_nonce bigint,
    expires_at_ms bigint,
    unsigned_digest text not null,
    state text not null check (state in ('built', 'exported', 'signed', 'sent', 'included', 'final',
        'failed_on_chain', 'dead', 'replaced')),
    may_be_signed bigint not null check (may_be_signed in (0, 1)),
    signed_bytes text,
    tx_id text,
    included_height bigint,
    fee_base text,
    made_at bigint not null,
    changed_at bigint not null,
    check (account_nonce is not null or expires_at_ms is not null),
    check (state in ('built', 'dead', 'replaced') or may_be_signed = 1),
    check (state not in ('final', 'failed_on_chain') or (included_height is not null and fee_base is not null)),
    check (state in ('built', 'exported', 'dead', 'replaced') or tx_id is not null)
);

-- At most one live attempt per withdrawal, one live intent per account nonce, one transaction id ever.
create unique index attempts_one_live on attempts (withdrawal_id)
    where state in ('built', 'exported', 'signed', 'sent', 'included', 'final');
create unique index attempts_one_intent on attempts (network, source, account_nonce)
    where account_nonce is not null and state in ('built', 'exported', 'signed', 'sent', 'included', 'final', 'failed_on_chain');
create index attempts_by_batch on attempts (batch_id, item_index);
create index attempts_by_state on attempts (network, state);

-- Every transaction id an attempt has had (fee levels, and reissues): one transaction id belongs to one attempt for ever.
create table attempt_transactions (
    network text not null,
    tx_id text not null,
    attempt_id text not null references attempts (id),
    level bigint not null,
    signed_bytes text not null,
    made_at bigint not null,
    primary key (network, tx_id)
);

create index attempt_transactions_by_attempt on attempt_transactions (attempt_id, level);

-- append-only: withdrawal_transitions
-- append-only: withdrawal_approvals
-- append-only: attempt_transactions
