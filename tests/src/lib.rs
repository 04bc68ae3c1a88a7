//! The words that an end-to-end test may use, and the nine acts that tests and demo share.
//!
//! [`World`] is a development chain, a signer, two approvers' devices, a second custodian and a coordinator, each
//! program in a process of its own. The coordinator is reached over HTTP and its command line only, the devices
//! through files and pictures only. What must stay true: no test looks into a program's memory or database,
//! nothing waits for a fixed time, every process ends with the test that started it.
//!
//! The acts, in order: [`acts::chains`], [`acts::first_day`], [`acts::opening`], [`acts::deposits`],
//! [`acts::proposal`], [`acts::gap`], [`acts::settlement`], [`acts::audit`], [`acts::books`].

pub mod acts;
pub mod anvil;
pub mod attack;
pub mod binaries;
pub mod camera;
pub mod chain;
pub mod coordinator;
pub mod database;
pub mod device;
pub mod narrator;
pub mod people;
pub mod policy;
pub mod process;
pub mod stage;
pub mod wait;
pub mod world;

pub use database::Database;
pub use stage::Stage;
pub use world::World;

/// An HTTP client that uses no proxy and speaks to this machine only.
///
/// # Errors
/// The client cannot be made.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    // Another test of the same process may have installed it before.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let limit = std::time::Duration::from_secs(60);
    Ok(reqwest::Client::builder().no_proxy().timeout(limit).build()?)
}
