-- expand
-- Batches that a hardware wallet signs: when their requests left, what was refused for first-seen destinations alone,
-- each signature as it came, and the coordinator's word about the whole. This is the memory that stands in for a journal.

create table hardware_exports (
    batch_id text primary key references batches (id),
    made_at bigint not null
);

create table hardware_refusals (
    batch_id text primary key references batches (id),
    made_at bigint not null
);

create table hardware_signatures (
    batch_id text not null references hardware_exports (batch_id),
    item_index bigint not null check (item_index >= 0),
    transaction_index bigint not null check (transaction_index >= 0),
    request_id text not null unique,
    signature text not null,
    brought_by text not null,
    made_at bigint not null,
    primary key (batch_id, item_index, transaction_index)
);

create table hardware_replies (
    batch_id text primary key references hardware_exports (batch_id),
    reply text not null,
    made_at bigint not null
);

-- append-only: hardware_exports
-- append-only: hardware_refusals
-- append-only: hardware_signatures
-- append-only: hardware_replies
