//! Who may call which route on whose objects, written by hand, and the people and objects to try it with.
//!
//! `table.rs` is what people agreed on, `askers.rs` one caller of each sort, `objects.rs` one of each object for two users of
//! a partner, a user of another partner and a user of the house. `matrix.rs` and `hostile.rs` ask with them. What must stay
//! true: nothing here is taken from the program's own table of permissions.
// Each test file uses a part of it; a stage that cannot be set has failed, and says so by a panic.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::panic)]

pub mod askers;
mod batch;
pub mod objects;
pub mod table;

pub use askers::{Asker, Askers, Kind};
pub use objects::{Objects, Owner};
pub use table::{Ask, ROUTES, Route, Whose};
