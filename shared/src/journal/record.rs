//! What stands beside the entries of a chain: what an intent covers, and what a first-seen refusal names.
//!
//! A [`Record`] stands beside an intent, a [`FirstSeen`] beside a refusal; the entry binds either by its digest.
//! [`crate::memory::Memory`] takes both in. What must stay true: a record says everything on which a later
//! refusal depends, so that no rule ever needs the batch itself again.

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::batch::{Content, Context, FeeLevel, Kind, MAX_ITEMS, MAX_LEVELS, ReissueReason};
use crate::digest::Digest;
use crate::form::{self, Fault, Form, FormError, Node, Reader, Writer};
use crate::id::ItemId;
use crate::network::{Family, Network};

/// What an intent covers, item by item: the memory behind every refusal of a repeat and every rolling sum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where.
    pub network: Network,
    /// What kind of batch.
    pub kind: Kind,
    /// The token; `None` for the native coin.
    pub contract: Option<Address>,
    /// When, UTC seconds (journal time).
    pub time: u64,
    /// What every item of it was signed with, as far as signing it again depends on it.
    pub terms: Terms,
    /// The items.
    pub items: Vec<RecordItem>,
}

/// What a later signature for the same item is measured against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terms {
    /// TRON.
    Tron {
        /// From then on an unmined transaction is dead, UTC seconds, rounded up.
        dead_after: u64,
    },
    /// EVM networks.
    Evm {
        /// The dearest level that was signed.
        highest: FeeLevel,
        /// Was a cancel signed at each nonce?
        cancels: bool,
    },
}

impl Terms {
    fn of(context: &Context) -> Option<Self> {
        match context {
            Context::Tron(tron) => Some(Self::Tron { dead_after: tron.expiration_ms.div_ceil(1_000) }),
            // A content's levels rise.
            Context::Evm(evm) => {
                Some(Self::Evm { highest: *evm.levels.last()?, cancels: evm.cancel.is_some() })
            }
        }
    }
}

/// One item of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordItem {
    /// Its id.
    pub id: ItemId,
    /// The paying account.
    pub source: Address,
    /// The receiver.
    pub destination: Address,
    /// How much, base units.
    pub amount: BaseUnits,
    /// EVM: the account nonce.
    pub account_nonce: Option<u64>,
    /// The transaction ids on TRON. EVM ids depend on the signature; there this is empty.
    pub tx_ids: Vec<[u8; 32]>,
    /// Why it was signed again, if it was.
    pub reissue: Option<ReissueReason>,
}

impl Record {
    /// The record of `content` at `time`. `tx_ids(i)` are the ids that are known before signing.
    /// `None` if an item has no source or the content no fee level, which a checked one always has.
    pub fn of(content: &Content, time: u64, tx_ids: impl Fn(usize) -> Vec<[u8; 32]>) -> Option<Self> {
        let item = |(i, item): (usize, &crate::batch::Item)| {
            Some(RecordItem {
                id: item.id,
                source: content.source_of(i)?.address,
                destination: item.destination,
                amount: item.amount,
                account_nonce: item.account_nonce,
                tx_ids: tx_ids(i),
                reissue: item.reissue.as_ref().map(|reissue| reissue.reason),
            })
        };
        let items = content.items.iter().enumerate().map(item).collect::<Option<_>>()?;
        Some(Self {
            network: content.network,
            kind: content.kind,
            contract: content.asset.contract,
            time,
            terms: Terms::of(&content.context)?,
            items,
        })
    }

    /// What an intent entry binds.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:record:1", &form::to_cbor(self))
    }
}

impl Form for Record {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        to.choice(1, "kind", self.kind);
        if let Some(contract) = &self.contract {
            to.bytes(2, "contract", contract.payload());
        }
        to.uint(3, "time", self.time);
        match &self.terms {
            Terms::Tron { dead_after } => to.uint(4, "dead_after", *dead_after),
            Terms::Evm { highest, cancels } => {
                to.part(5, "highest_fee", highest);
                to.flag(6, "cancels", *cancels);
            }
        }
        let items = self.items.iter().map(|item| item.node(to)).collect();
        to.put(7, "items", Node::List(items));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network = from.parsed(0, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?;
        let kind = from.choice(1, "kind")?;
        let contract = if from.has(2, "contract") {
            Some(Address::new(network, from.exact(2, "contract")?))
        } else {
            None
        };
        let time = from.uint(3, "time")?;
        let terms = match network.family() {
            Family::Tron => Terms::Tron { dead_after: from.uint(4, "dead_after")? },
            Family::Evm => {
                let highest = from.part(5, "highest_fee")?;
                Terms::Evm { highest, cancels: from.flag(6, "cancels")? }
            }
        };
        let nodes = from.list(7, "items", MAX_ITEMS)?;
        let items =
            nodes.into_iter().map(|node| RecordItem::of(from, network, node)).collect::<Result<_, _>>()?;
        Ok(Self { network, kind, contract, time, terms, items })
    }
}

impl RecordItem {
    /// A list of fixed order rather than a map: a thousand of these are written for each batch.
    fn node(&self, to: &Writer) -> Node {
        let tx_ids = self.tx_ids.iter().map(|id| to.bytes_node(id)).collect();
        let nonce = self.account_nonce.map(|nonce| to.wide_node(nonce)).into_iter().collect();
        let reissue = self.reissue.map(|reason| Node::Uint(reason.code())).into_iter().collect();
        Node::List(vec![
            to.wide_node(self.id.number()),
            to.bytes_node(self.source.payload()),
            to.bytes_node(self.destination.payload()),
            to.amount_node(self.amount),
            Node::List(nonce),
            Node::List(tx_ids),
            Node::List(reissue),
        ])
    }

    fn of(from: &Reader, network: Network, node: Node) -> Result<Self, FormError> {
        let wrong = || FormError::new(from.at("items"), Fault::WrongType { expected: "a record item" });
        let Node::List(fields) = node else { return Err(wrong()) };
        let [id, source, destination, amount, nonces, tx_ids, reasons] =
            <[Node; 7]>::try_from(fields).map_err(|_| wrong())?;
        let (Node::List(mut nonces), Node::List(tx_ids), Node::List(mut reasons)) = (nonces, tx_ids, reasons)
        else {
            return Err(wrong());
        };
        if nonces.len() > 1 || tx_ids.len() > MAX_LEVELS + 1 || reasons.len() > 1 {
            return Err(wrong());
        }
        let address = |node| from.exact_from("items", node).map(|payload| Address::new(network, payload));
        let account_nonce = nonces.pop().map(|node| from.wide_from("items", node)).transpose()?;
        let tx_ids =
            tx_ids.into_iter().map(|node| from.exact_from("items", node)).collect::<Result<_, _>>()?;
        let reason = |node| match node {
            Node::Uint(code) => ReissueReason::from_code(code).ok_or_else(wrong),
            _ => Err(wrong()),
        };
        Ok(Self {
            id: ItemId::new(from.wide_from("items", id)?),
            source: address(source)?,
            destination: address(destination)?,
            amount: from.amount_from("items", amount)?,
            account_nonce,
            tx_ids,
            reissue: reasons.pop().map(reason).transpose()?,
        })
    }
}

/// Destinations whose delay begins with a refusal that was about nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstSeen {
    /// Where.
    pub network: Network,
    /// Sorted, each once.
    pub destinations: Vec<Address>,
}

impl FirstSeen {
    /// Sorts the destinations and drops repetitions.
    pub fn new(network: Network, mut destinations: Vec<Address>) -> Self {
        destinations.sort_unstable();
        destinations.dedup();
        Self { network, destinations }
    }

    /// What a refusal entry binds.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:first-seen:1", &form::to_cbor(self))
    }
}

impl Form for FirstSeen {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        let nodes = self.destinations.iter().map(|address| to.bytes_node(address.payload())).collect();
        to.put(1, "destinations", Node::List(nodes));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network = from.parsed(0, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?;
        let nodes = from.list(1, "destinations", MAX_ITEMS)?;
        let address =
            |node| from.exact_from("destinations", node).map(|payload| Address::new(network, payload));
        let destinations = nodes.into_iter().map(address).collect::<Result<Vec<_>, _>>()?;
        if !destinations.is_sorted_by(|a, b| a < b) {
            return Err(from.refused("destinations", "must be sorted, each once"));
        }
        Ok(Self { network, destinations })
    }
}
