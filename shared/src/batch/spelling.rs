//! The two spellings of a [`Content`]: columns in CBOR, one object per item in JSON.
//!
//! Keys 0 to 14 are the header, 15 to 25 and 27 the items, 26 the extensions. What is absent is not written: a
//! batch without memos has no memo column. Reading ends with [`Content::check`] and a comparison of the
//! totals, so nothing inconsistent leaves this file.

use super::columns;
use super::{
    Asset, CancelTerms, Content, Context, EvmContext, FeeLevel, Item, MAX_DEAD, MAX_EXTENSIONS, MAX_ITEMS,
    MAX_LABEL_BYTES, MAX_LEVELS, MAX_MEMO_BYTES, PolicyRef, Reissue, Totals, TronContext, Wallet,
};
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::form::{Fault, Form, FormError, Name, Node, Reader, Spelling, Writer};
use crate::id::{BatchId, ItemId, PersonId};
use crate::network::Network;
use crate::wallet::Role;
use std::collections::BTreeMap;

/// The content format that this code writes and reads.
const VERSION: u64 = 1;

impl Form for Content {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "content_version", VERSION);
        to.choice(1, "profile", self.profile);
        to.bytes(2, "batch_id", self.batch_id.as_bytes());
        to.choice(3, "kind", self.kind);
        to.text(4, "network", self.network);
        to.uint(5, "created_at", self.created_at);
        to.uint(6, "expires_at", self.expires_at);
        to.text(7, "creator", &self.creator);
        to.bytes(8, "vault", &self.vault);
        if let Some(source) = &self.source {
            to.part(9, "source", source);
        }
        to.part(10, "asset", &self.asset);
        match &self.context {
            Context::Tron(tron) => to.part(11, "tron", tron),
            Context::Evm(evm) => to.part(12, "evm", evm),
        }
        to.part(13, "policy", &self.policy);
        if let Ok(totals) = self.totals() {
            to.part(14, "totals", &totals);
        }
        match to.spelling() {
            Spelling::Cbor => write_columns(&self.items, to),
            Spelling::Json => to.parts(16, "items", &self.items),
        }
        if !self.extensions.is_empty() {
            let node =
                |(key, bytes): (&u64, &Vec<u8>)| (*key, Name::Owned(key.to_string()), to.bytes_node(bytes));
            let fields = self.extensions.iter().map(node).collect();
            to.put(26, "extensions", Node::Map(fields));
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let version = from.uint(0, "content_version")?;
        if version != VERSION {
            let fault = Fault::UnknownVersion { found: version };
            return Err(FormError::new(from.at("content_version"), fault));
        }
        let profile = from.choice(1, "profile")?;
        let batch_id = BatchId::from_bytes(from.exact(2, "batch_id")?);
        let kind = from.choice(3, "kind")?;
        let network = read_network(from, 4, "network")?;
        let content = Self {
            profile,
            batch_id,
            kind,
            network,
            created_at: from.uint(5, "created_at")?,
            expires_at: from.uint(6, "expires_at")?,
            creator: read_person(from, 7, "creator")?,
            vault: from.exact(8, "vault")?,
            source: if from.has(9, "source") { Some(from.part(9, "source")?) } else { None },
            asset: from.part(10, "asset")?,
            context: read_context(from)?,
            policy: from.part(13, "policy")?,
            items: read_items(from, network)?,
            extensions: read_extensions(from)?,
        };
        content.check().map_err(|error| FormError::refused(from.at(error.field), &error))?;
        let claimed: Totals = from.part(14, "totals")?;
        match content.totals() {
            Ok(totals) if totals == claimed => Ok(content),
            _ => Err(from.refused("totals", "do not agree with the items")),
        }
    }
}

/// Reads a network's CAIP-2 name.
pub(crate) fn read_network(from: &mut Reader, key: u64, name: &str) -> Result<Network, FormError> {
    from.parsed(key, name, 64, "a CAIP-2 network", |text| text.parse().ok())
}

/// Reads a person id.
pub(crate) fn read_person(from: &mut Reader, key: u64, name: &str) -> Result<PersonId, FormError> {
    from.parsed(key, name, PersonId::MAX_BYTES, "a person id (a-z 0-9 . _ @ -)", PersonId::new)
}

fn read_context(from: &mut Reader) -> Result<Context, FormError> {
    if from.has(11, "tron") {
        from.part(11, "tron").map(Context::Tron)
    } else {
        from.part(12, "evm").map(Context::Evm)
    }
}

fn read_extensions(from: &mut Reader) -> Result<BTreeMap<u64, Vec<u8>>, FormError> {
    let Some(node) = from.take(26, "extensions") else { return Ok(BTreeMap::new()) };
    let Node::Map(fields) = node else {
        let fault = Fault::WrongType { expected: "a map" };
        return Err(FormError::new(from.at("extensions"), fault));
    };
    let (most, longest) = MAX_EXTENSIONS;
    if fields.is_empty() || fields.len() > most {
        let fault = Fault::TooLarge { limit: most, found: fields.len() };
        return Err(FormError::new(from.at("extensions"), fault));
    }
    let read = |(key, name, node): (u64, Name, Node)| {
        let key = match from.spelling() {
            Spelling::Cbor => key,
            Spelling::Json => from.wide_from("extensions", Node::Text(name.into_owned()))?,
        };
        Ok((key, from.bytes_from("extensions", node, longest)?))
    };
    fields.into_iter().map(read).collect()
}

// ---- the parts of the header

/// An address beside its network: 20 bytes in CBOR, its text in JSON.
pub(crate) fn put_address(to: &mut Writer, key: u64, name: &'static str, address: &Address) {
    match to.spelling() {
        Spelling::Cbor => to.bytes(key, name, address.payload()),
        Spelling::Json => to.text(key, name, address),
    }
}

/// Reads an address whose network stands elsewhere in the document. In JSON the text must be the
/// address's own spelling, checksum included; re-encoding sees to that.
pub(crate) fn read_address(
    from: &mut Reader,
    key: u64,
    name: &str,
    network: Network,
) -> Result<Address, FormError> {
    match from.spelling() {
        Spelling::Cbor => from.exact(key, name).map(|payload| Address::new(network, payload)),
        Spelling::Json => {
            let text = from.text(key, name, 64)?;
            Address::parse(network, &text).map_err(|error| from.refused(name, error))
        }
    }
}

/// Parts that hold an address carry their network too, so that each part can be read on its own.
impl Form for Wallet {
    fn write(&self, to: &mut Writer) {
        to.choice(0, "role", self.role);
        to.uint(1, "index", u64::from(self.index));
        to.text(2, "network", self.address.network());
        put_address(to, 3, "address", &self.address);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let role = from.choice(0, "role")?;
        let index = from.uint(1, "index")?;
        let index = u32::try_from(index).map_err(|_| from.refused("index", "is above 2^32-1"))?;
        let network = read_network(from, 2, "network")?;
        Ok(Self { role, index, address: read_address(from, 3, "address", network)? })
    }
}

impl Form for Asset {
    fn write(&self, to: &mut Writer) {
        if let Some(contract) = &self.contract {
            to.text(0, "network", contract.network());
            put_address(to, 1, "contract", contract);
        }
        to.uint(2, "decimals", u64::from(self.decimals));
        to.text(3, "symbol", &self.symbol);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let contract = if from.has(1, "contract") {
            let network = read_network(from, 0, "network")?;
            Some(read_address(from, 1, "contract", network)?)
        } else {
            None
        };
        Ok(Self { contract, decimals: from.byte(2, "decimals")?, symbol: from.text(3, "symbol", 16)? })
    }
}

impl Form for TronContext {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "ref_block_bytes", &self.ref_block_bytes);
        to.bytes(1, "ref_block_hash", &self.ref_block_hash);
        to.uint(2, "expiration_ms", self.expiration_ms);
        to.uint(3, "timestamp_ms", self.timestamp_ms);
        to.wide(4, "fee_limit_sun", self.fee_limit_sun);
        to.uint(5, "permission_id", u64::from(self.permission_id));
        to.uint(6, "lock_blocks", self.lock_blocks);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            ref_block_bytes: from.exact(0, "ref_block_bytes")?,
            ref_block_hash: from.exact(1, "ref_block_hash")?,
            expiration_ms: from.uint(2, "expiration_ms")?,
            timestamp_ms: from.uint(3, "timestamp_ms")?,
            fee_limit_sun: from.wide(4, "fee_limit_sun")?,
            permission_id: from.byte(5, "permission_id")?,
            lock_blocks: from.uint(6, "lock_blocks")?,
        })
    }
}

impl Form for FeeLevel {
    fn write(&self, to: &mut Writer) {
        to.wide(0, "max_fee_per_gas_wei", self.max_fee_per_gas_wei);
        to.wide(1, "max_priority_fee_per_gas_wei", self.max_priority_fee_per_gas_wei);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            max_fee_per_gas_wei: from.wide(0, "max_fee_per_gas_wei")?,
            max_priority_fee_per_gas_wei: from.wide(1, "max_priority_fee_per_gas_wei")?,
        })
    }
}

impl Form for CancelTerms {
    fn write(&self, to: &mut Writer) {
        to.wide(0, "gas_limit", self.gas_limit);
        to.part(1, "fee", &self.fee);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self { gas_limit: from.wide(0, "gas_limit")?, fee: from.part(1, "fee")? })
    }
}

impl Form for EvmContext {
    fn write(&self, to: &mut Writer) {
        to.wide(0, "gas_limit", self.gas_limit);
        to.parts(1, "levels", &self.levels);
        if let Some(cancel) = &self.cancel {
            to.part(2, "cancel", cancel);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            gas_limit: from.wide(0, "gas_limit")?,
            levels: from.parts(1, "levels", MAX_LEVELS)?,
            cancel: if from.has(2, "cancel") { Some(from.part(2, "cancel")?) } else { None },
        })
    }
}

impl Form for PolicyRef {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.uint(1, "version", self.version);
        to.digest(2, "digest", &self.digest);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            name: read_person(from, 0, "name")?,
            version: from.uint(1, "version")?,
            digest: from.digest(2, "digest")?,
        })
    }
}

impl Form for Totals {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "count", self.count);
        to.amount(1, "amount", self.amount);
        to.amount(2, "fee_cap", self.fee_cap);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            count: from.uint(0, "count")?,
            amount: from.amount(1, "amount")?,
            fee_cap: from.amount(2, "fee_cap")?,
        })
    }
}

impl Form for Reissue {
    fn write(&self, to: &mut Writer) {
        to.choice(0, "reason", self.reason);
        let dead = self.dead.iter().map(|id| to.bytes_node(id)).collect();
        to.put(1, "dead", Node::List(dead));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let reason = from.choice(0, "reason")?;
        let nodes = from.list(1, "dead", MAX_DEAD)?;
        let dead = nodes.into_iter().map(|node| from.exact_from("dead", node)).collect::<Result<_, _>>()?;
        Ok(Self { reason, dead })
    }
}

// ---- items as rows (JSON)

impl Form for Item {
    fn write(&self, to: &mut Writer) {
        to.wide(0, "id", self.id.number());
        to.text(1, "network", self.destination.network());
        put_address(to, 2, "destination", &self.destination);
        if let Some((role, index)) = self.own {
            to.choice(3, "own_role", role);
            to.uint(4, "own_index", u64::from(index));
        }
        to.amount(5, "amount", self.amount);
        if let Some(nonce) = self.account_nonce {
            to.wide(6, "account_nonce", nonce);
        }
        if let Some(source) = &self.source {
            to.part(7, "source", source);
        }
        if !self.memo.is_empty() {
            to.bytes(8, "memo", &self.memo);
        }
        if !self.label.is_empty() {
            to.text(9, "label", &self.label);
        }
        if let Some(reissue) = &self.reissue {
            to.part(10, "reissue", reissue);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let id = ItemId::new(from.wide(0, "id")?);
        let network = read_network(from, 1, "network")?;
        let destination = read_address(from, 2, "destination", network)?;
        let own = if from.has(3, "own_role") {
            let role = from.choice(3, "own_role")?;
            let index = from.uint(4, "own_index")?;
            Some((role, u32::try_from(index).map_err(|_| from.refused("own_index", "is above 2^32-1"))?))
        } else {
            None
        };
        Ok(Self {
            id,
            destination,
            own,
            amount: from.amount(5, "amount")?,
            account_nonce: if from.has(6, "account_nonce") {
                Some(from.wide(6, "account_nonce")?)
            } else {
                None
            },
            source: if from.has(7, "source") { Some(from.part(7, "source")?) } else { None },
            memo: if from.has(8, "memo") { from.bytes(8, "memo", MAX_MEMO_BYTES)? } else { Vec::new() },
            label: if from.has(9, "label") { from.text(9, "label", MAX_LABEL_BYTES)? } else { String::new() },
            reissue: if from.has(10, "reissue") { Some(from.part(10, "reissue")?) } else { None },
        })
    }
}

// ---- items as columns (CBOR)

fn write_columns(items: &[Item], to: &mut Writer) {
    to.uint(15, "count", items.len() as u64);
    to.bytes(16, "ids", &columns::ids_to_bytes(items.iter().map(|item| item.id.number())));
    let destinations: Vec<_> = items.iter().map(|item| *item.destination.payload()).collect();
    to.bytes(17, "destinations", &columns::addresses_to_bytes(&destinations));
    let amounts: Vec<_> = items.iter().map(|item| item.amount).collect();
    to.bytes(18, "amounts", &columns::amounts_to_bytes(&amounts));
    let nonces: Vec<_> = items.iter().filter_map(|item| item.account_nonce).collect();
    if !nonces.is_empty() {
        to.bytes(19, "account_nonces", &columns::nonces_to_bytes(&nonces));
    }
    let sources: Vec<_> = items.iter().filter_map(|item| item.source).collect();
    if !sources.is_empty() {
        to.bytes(20, "source_indexes", &columns::indexes_to_bytes(sources.iter().map(|own| own.index)));
        let addresses: Vec<_> = sources.iter().map(|own| *own.address.payload()).collect();
        to.bytes(21, "source_addresses", &columns::addresses_to_bytes(&addresses));
    }
    let own: Vec<_> = items.iter().filter_map(|item| item.own).collect();
    if !own.is_empty() {
        let roles: Vec<u8> = own.iter().map(|(role, _)| role.code()).collect();
        to.bytes(22, "own_roles", &roles);
        to.bytes(23, "own_indexes", &columns::indexes_to_bytes(own.iter().map(|(_, index)| *index)));
    }
    write_sparse(items, to);
}

/// Columns that few items have: lists of pairs (item index, value), ascending.
fn write_sparse(items: &[Item], to: &mut Writer) {
    let mut sparse = |key, name, node: &dyn Fn(&Item, &Writer) -> Option<Node>| {
        let pair = |(i, item)| {
            let value = node(item, to)?;
            Some(Node::List(vec![Node::Uint(i as u64), value]))
        };
        let pairs: Vec<_> = items.iter().enumerate().filter_map(pair).collect();
        if !pairs.is_empty() {
            to.put(key, name, Node::List(pairs));
        }
    };
    sparse(24, "memos", &|item, to| (!item.memo.is_empty()).then(|| to.bytes_node(&item.memo)));
    sparse(25, "labels", &|item, _| (!item.label.is_empty()).then(|| Node::Text(item.label.clone())));
    sparse(27, "reissues", &|item, to| {
        item.reissue.as_ref().map(|reissue| Writer::node(reissue, to.spelling()))
    });
}

fn read_items(from: &mut Reader, network: Network) -> Result<Vec<Item>, FormError> {
    match from.spelling() {
        Spelling::Json => from.parts(16, "items", MAX_ITEMS),
        Spelling::Cbor => read_columns(from, network),
    }
}

fn read_columns(from: &mut Reader, network: Network) -> Result<Vec<Item>, FormError> {
    let count = from.uint(15, "count")?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if !(1..=MAX_ITEMS).contains(&count) {
        let fault = Fault::TooLarge { limit: MAX_ITEMS, found: count };
        return Err(FormError::new(from.at("count"), fault));
    }
    let ids = column(from, 16, "ids", |bytes| columns::ids_from_bytes(bytes, count))?;
    let destinations = column(from, 17, "destinations", |b| columns::addresses_from_bytes(b, count))?;
    let amounts = column(from, 18, "amounts", |bytes| columns::amounts_from_bytes(bytes, count))?;
    let mut items: Vec<_> = ids
        .into_iter()
        .zip(destinations)
        .zip(amounts)
        .map(|((id, to), amount)| plain_item(id, Address::new(network, to), amount))
        .collect();
    if from.has(19, "account_nonces") {
        let nonces = column(from, 19, "account_nonces", |b| columns::nonces_from_bytes(b, count))?;
        items.iter_mut().zip(nonces).for_each(|(item, nonce)| item.account_nonce = Some(nonce));
    }
    if from.has(20, "source_indexes") {
        let indexes = column(from, 20, "source_indexes", |b| columns::indexes_from_bytes(b, count))?;
        let addresses = column(from, 21, "source_addresses", |b| columns::addresses_from_bytes(b, count))?;
        for ((item, index), payload) in items.iter_mut().zip(indexes).zip(addresses) {
            let address = Address::new(network, payload);
            item.source = Some(Wallet { role: Role::Deposit, index, address });
        }
    }
    if from.has(22, "own_roles") {
        let role = |code: &u8| Role::from_code(u64::from(*code));
        let roles = column(from, 22, "own_roles", |bytes| {
            (bytes.len() == count).then(|| bytes.iter().map(role).collect::<Option<Vec<_>>>())?
        })?;
        let indexes = column(from, 23, "own_indexes", |b| columns::indexes_from_bytes(b, count))?;
        let own = roles.into_iter().zip(indexes);
        items.iter_mut().zip(own).for_each(|(item, own)| item.own = Some(own));
    }
    read_sparse(from, &mut items)?;
    Ok(items)
}

fn plain_item(id: u64, destination: Address, amount: BaseUnits) -> Item {
    Item {
        id: ItemId::new(id),
        destination,
        own: None,
        amount,
        account_nonce: None,
        source: None,
        memo: Vec::new(),
        label: String::new(),
        reissue: None,
    }
}

fn column<T>(
    from: &mut Reader,
    key: u64,
    name: &str,
    decode: impl FnOnce(&[u8]) -> Option<Vec<T>>,
) -> Result<Vec<T>, FormError> {
    let bytes = from.bytes(key, name, crate::form::MAX_CBOR_BYTES)?;
    decode(&bytes).ok_or_else(|| from.refused(name, "is not a column of this batch's length"))
}

fn read_sparse(from: &mut Reader, items: &mut [Item]) -> Result<(), FormError> {
    for (index, node) in pairs(from, 24, "memos", items.len())? {
        items[index].memo = from.bytes_from("memos", node, MAX_MEMO_BYTES)?;
    }
    for (index, node) in pairs(from, 25, "labels", items.len())? {
        items[index].label = match node {
            Node::Text(text) if text.len() <= MAX_LABEL_BYTES => text,
            _ => return Err(from.refused("labels", "is not a text of at most 64 bytes")),
        };
    }
    for (index, node) in pairs(from, 27, "reissues", items.len())? {
        let at = format!("{}[{index}]", from.at("reissues"));
        items[index].reissue = Some(Reader::part_of(from.spelling(), &at, node)?);
    }
    Ok(())
}

/// The pairs of a sparse column, each index checked against the number of items.
fn pairs(from: &mut Reader, key: u64, name: &str, count: usize) -> Result<Vec<(usize, Node)>, FormError> {
    if !from.has(key, name) {
        return Ok(Vec::new());
    }
    let nodes = from.list(key, name, count)?;
    let pair = |node| {
        let Node::List(pair) = node else { return Err(from.refused(name, "is not a pair")) };
        let [Node::Uint(index), value] =
            <[Node; 2]>::try_from(pair).map_err(|_| from.refused(name, "is not a pair"))?
        else {
            return Err(from.refused(name, "has no item index"));
        };
        let index = usize::try_from(index).ok().filter(|index| *index < count);
        Ok((index.ok_or_else(|| from.refused(name, "names an item beyond the batch"))?, value))
    };
    nodes.into_iter().map(pair).collect()
}
