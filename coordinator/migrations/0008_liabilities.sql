-- expand
-- Proof of liabilities: signed statements, and the leaves below each. The secret of a statement gives each creditor's salt and
-- place, so it never leaves; a chunk holds the leaves of 256 neighbours in the order of their salts.

create table liability_statements (
    id bigint primary key,
    digest text not null unique,
    secret text not null,
    document text not null,
    taken_at bigint not null,
    made_by text not null
);

create table liability_leaves (
    statement_id bigint not null,
    chunk bigint not null check (chunk >= 0),
    first_salt text not null,
    leaves text not null,
    root_hash text not null,
    root_sums text not null,
    primary key (statement_id, chunk)
);

create index liability_leaves_by_salt on liability_leaves (statement_id, first_salt);

-- append-only: liability_statements
