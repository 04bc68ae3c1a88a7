-- expand
-- Batches, their transitions, approvals, bundles and replies, and the TRON timestamps each batch owns.

-- What crossed the gap, byte for byte: export is repeatable because it is stored.
create table bundles (
    id text primary key,
    sealed text not null,
    words text not null,
    made_by text not null,
    made_at bigint not null
);

create table batches (
    id text primary key,
    -- Its signer's partner: whose people see it beside the house's.
    partner_id text not null references partners (id),
    kind text not null,
    network text not null,
    asset text not null,
    source text not null,
    signer text not null references signers (identity),
    policy text not null references policies (digest),
    state text not null check (state in ('draft', 'awaiting_approval', 'exported', 'signed', 'broadcasting',
        'completed', 'partial', 'failed', 'expired', 'abandoned', 'refused')),
    content_digest text not null unique,
    content text not null,
    item_count bigint not null check (item_count >= 1),
    amount_base text not null,
    expires_at_ms bigint not null,
    bundle_id text references bundles (id),
    bundle_place bigint check (bundle_place between 0 and 15),
    why text not null,
    made_by text not null,
    request_id text not null,
    made_at bigint not null,
    changed_at bigint not null,
    unique (bundle_id, bundle_place),
    check (state in ('draft', 'awaiting_approval', 'expired', 'abandoned') or bundle_id is not null)
);

create index batches_by_state on batches (state, network, made_at);

create table batch_transitions (
    batch_id text not null references batches (id),
    number bigint not null check (number >= 1),
    from_state text not null,
    to_state text not null,
    event text not null,
    who text not null,
    why text not null,
    made_at bigint not null,
    primary key (batch_id, number)
);

-- One approval per person counts: where both are here, the device's.
create table batch_approvals (
    batch_id text not null references batches (id),
    person text not null,
    method text not null check (method in ('device', 'passkey')),
    approval text not null,
    brought_by text not null,
    made_at bigint not null,
    primary key (batch_id, person, method)
);

-- One answer per signer and batch, as it came (binary, hex).
create table batch_replies (
    batch_id text not null references batches (id),
    signer text not null references signers (identity),
    reply text not null,
    brought_by text not null,
    made_at bigint not null,
    primary key (batch_id, signer)
);

-- Ranges of TRON timestamps, [first_ms, end_ms), chained per source: each begins at or after the end of the one
-- before it, and only one may follow another, so two ranges never overlap and equal payments never get equal ids.
create table timestamp_ranges (
    network text not null,
    source text not null,
    first_ms bigint not null check (first_ms > 0),
    end_ms bigint not null,
    previous_end_ms bigint,
    batch_id text not null unique,
    primary key (network, source, end_ms),
    unique (network, source, previous_end_ms),
    foreign key (network, source, previous_end_ms) references timestamp_ranges (network, source, end_ms),
    check (end_ms > first_ms),
    check (previous_end_ms is null or first_ms >= previous_end_ms)
);

create unique index timestamp_ranges_one_first on timestamp_ranges (network, source) where previous_end_ms is null;

-- What nodes said when bytes were sent: hints for people, never facts.
create table sends (
    attempt_id text primary key references attempts (id),
    sends bigint not null check (sends >= 1),
    last_sent_at bigint not null,
    last_answer text not null
);

-- append-only: batch_transitions
-- append-only: batch_approvals
-- append-only: batch_replies
-- append-only: timestamp_ranges
