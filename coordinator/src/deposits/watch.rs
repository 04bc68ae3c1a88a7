//! Which transfers concern us: the deposit addresses of one network, and our own wallets whose movements are no deposits.
//!
//! Held in memory by the loop of `follow` and refreshed before every round from the rows it has not seen yet. The order matters:
//! the chain's height is asked first and the addresses are read afterwards, so a transfer in a block at or below that height
//! went to an address that was given out, and therefore committed, before.

use super::address::store;
use crate::app::App;
use crate::chain::Transfer;
use crate::config::NetworkConfig;
use airlock_shared::Network;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The watched addresses of one network.
pub struct Watched {
    network: Network,
    owners: HashMap<[u8; 20], Arc<str>>,
    wallets: HashSet<[u8; 20]>,
    last_number: i64,
}

impl Watched {
    /// Knows our configured wallets and no deposit address yet.
    pub fn new(app: &App, network: Network) -> Self {
        let own = |config: &Arc<NetworkConfig>| -> HashSet<[u8; 20]> {
            config.wallets.iter().map(|wallet| *wallet.address.payload()).collect()
        };
        let wallets = app.config.network(network).map(own).unwrap_or_default();
        Self { network, owners: HashMap::new(), wallets, last_number: 0 }
    }

    /// Adds the addresses given out since the last call.
    pub async fn refresh(&mut self, db: &mut crate::db::Db) -> Result<(), sqlx::Error> {
        for row in store::addresses_after(db, self.network, self.last_number).await? {
            self.last_number = self.last_number.max(row.number);
            self.owners.insert(*row.address.payload(), row.user_id.into());
        }
        Ok(())
    }

    /// The user to whom a transfer is a deposit. Zero amounts (address poisoning) and our own movements are none.
    pub fn owner_of(&self, transfer: &Transfer) -> Option<&Arc<str>> {
        let from = transfer.from.payload();
        let ours = self.wallets.contains(from) || self.owners.contains_key(from);
        if ours || transfer.amount.is_zero() { None } else { self.owners.get(transfer.to.payload()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Coin, TxId};
    use airlock_shared::{Address, BaseUnits};

    fn transfer(from: u8, to: u8, amount: u64) -> Transfer {
        let address = |byte| Address::new(Network::TRON_DEV, [byte; 20]);
        Transfer {
            tx_id: TxId([9; 32]),
            ordinal: 0,
            coin: Coin::Native,
            from: address(from),
            to: address(to),
            amount: BaseUnits::from(amount),
        }
    }

    #[test]
    fn only_foreign_money_to_a_watched_address_is_a_deposit() {
        let watched = Watched {
            network: Network::TRON_DEV,
            owners: [([1; 20], "ann".into()), ([2; 20], "bob".into())].into(),
            wallets: [[3; 20]].into(),
            last_number: 2,
        };
        assert_eq!(watched.owner_of(&transfer(7, 1, 5)).map(|user| &**user), Some("ann"));
        assert_eq!(watched.owner_of(&transfer(0, 2, 5)).map(|user| &**user), Some("bob"));
        for (what, transfer) in [
            ("zero", transfer(7, 1, 0)),
            ("to a stranger", transfer(7, 8, 5)),
            ("from our hot wallet", transfer(3, 1, 5)),
            ("between deposit addresses", transfer(1, 2, 5)),
            ("to our hot wallet", transfer(7, 3, 5)),
        ] {
            assert_eq!(watched.owner_of(&transfer), None, "{what}");
        }
    }
}
