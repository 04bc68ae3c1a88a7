//! The coordinator: everything that is online. It keeps the ledger, watches the chains, takes withdrawal
//! requests, builds batches and broadcasts what comes back signed. It holds no spending key, ever.
//!
//! One folder per capability, each owning its tables and its SQL (`store.rs`). `ledger` knows no other capability;
//! `chain` knows only `airlock_shared`; `deposits` and `withdrawals` know both; `api` and `outbox` are the rim.
//! Begin at `app.rs` (what everything shares), `ledger/mod.rs` (how money changes) and `config.rs`.

pub mod adjustments;
pub mod alerts;
pub mod api;
pub mod app;
pub mod audit;
pub mod batches;
pub mod chain;
pub mod clock;
pub mod config;
pub mod db;
pub mod deposits;
pub mod energy;
pub mod export;
pub mod fees;
pub mod freeze;
pub mod home;
pub mod keys;
pub mod ledger;
pub mod liabilities;
pub mod logs;
pub mod migrations;
pub mod outbox;
pub mod pairing;
pub mod partners;
pub mod people;
pub mod transactions;
pub mod transfers;
pub mod treasury;
pub mod withdrawals;
