//! The nine acts of one withdrawal across the gap, one file each, in the order in which they happen.
//!
//! Each does its part, checks what it did, and tells it; the demo prints what the tests assert. An act takes
//! what the one before it made, so none can be left out.

pub mod audit;
pub mod books;
pub mod chains;
pub mod deposits;
pub mod first_day;
pub mod gap;
pub mod opening;
pub mod proposal;
pub mod settlement;
pub mod vouching;
