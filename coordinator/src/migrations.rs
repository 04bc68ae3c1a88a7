//! The list of migrations, compiled in, in the order in which they run.
//!
//! A capability adds its file `migrations/000N_<capability>.sql` and one line here. A released file
//! never changes (its digest is recorded in the database and compared); a change is a new file. Its first line is
//! `-- expand` (adds only) or `-- contract` (takes something away): an older program goes on beside the first kind only.
//! Numbers: 0001-0019 ledger, people, withdrawals; 0020-0029 deposits; 0030-0039 batches.

/// Name and text of each migration. The rules for the text are at `db.rs`.
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_ledger", include_str!("../migrations/0001_ledger.sql")),
    ("0002_people", include_str!("../migrations/0002_people.sql")),
    ("0003_outbox", include_str!("../migrations/0003_outbox.sql")),
    ("0004_withdrawals", include_str!("../migrations/0004_withdrawals.sql")),
    ("0005_audit", include_str!("../migrations/0005_audit.sql")),
    ("0006_adjustments", include_str!("../migrations/0006_adjustments.sql")),
    ("0007_fees", include_str!("../migrations/0007_fees.sql")),
    ("0008_liabilities", include_str!("../migrations/0008_liabilities.sql")),
    ("0009_keys", include_str!("../migrations/0009_keys.sql")),
    ("0010_partners", include_str!("../migrations/0010_partners.sql")),
    ("0020_deposits", include_str!("../migrations/0020_deposits.sql")),
    ("0021_compared_blocks", include_str!("../migrations/0021_compared_blocks.sql")),
    ("0030_pairing", include_str!("../migrations/0030_pairing.sql")),
    ("0031_batches", include_str!("../migrations/0031_batches.sql")),
    ("0032_hardware", include_str!("../migrations/0032_hardware.sql")),
];
