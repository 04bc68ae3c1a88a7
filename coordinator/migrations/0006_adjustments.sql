-- expand
-- Manual adjustments: proposed by one person, decided by another.

create table adjustments (
    id text primary key,
    partner_id text not null references partners (id),
    user_id text references users (id),
    asset text not null references assets (code),
    direction text not null check (direction in ('credit', 'debit')),
    against text not null check (against in ('capital', 'fees_earned', 'suspense', 'partner')),
    amount_minor bigint not null check (amount_minor > 0),
    reason text not null,
    state text not null check (state in ('proposed', 'approved', 'rejected')),
    proposed_by text not null,
    made_at bigint not null,
    decided_by text,
    decided_at bigint,
    decision text,
    check ((state = 'proposed') = (decided_by is null)),
    check (decided_by is null or decided_by <> proposed_by),
    check (user_id is not null or against <> 'partner')
);

create index adjustments_by_state on adjustments (state, made_at);
create index adjustments_by_partner on adjustments (partner_id, made_at);
