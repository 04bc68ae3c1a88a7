//! Waiting for something to become true, with a deadline and never by a fixed time.
//!
//! Every wait of the tests goes through [`until`]. What must stay true: a wait that fails says what was
//! waited for and what was seen last.

use anyhow::bail;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// What one look found.
#[derive(Debug)]
pub enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet, and what was seen instead.
    NotYet(String),
}

/// Looks again and again until it is there.
///
/// # Errors
/// A look fails, or the deadline passes.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Look<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        match look().await? {
            Look::Done(found) => return Ok(found),
            Look::NotYet(seen) if start.elapsed() > DEADLINE => {
                bail!("{what}: not after {} s; last seen: {seen}", DEADLINE.as_secs())
            }
            Look::NotYet(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
