//! The requests of a batch that left for a hardware wallet: texts, pictures, and what the device must show.
//!
//! Made anew from the frozen content each time, so every showing is the same bytes.

use super::super::State;
use super::super::store::{self as batches, Batch};
use super::super::{BatchError, approve};
use super::{pays, store};
use crate::api::texts::{AddressText, AmountBase, NetworkName, Whole};
use crate::db::Db;
use airlock_shared::batch::{Content, Context};
use airlock_shared::frames::ur::{HardwareRequest, Parts, RequestError, UrError};
use airlock_shared::frames::{FrameSize, QrImage, animation};
use airlock_shared::policy::HardwareKey;
use airlock_shared::{Address, BaseUnits, Network};
use serde::Serialize;
use utoipa::ToSchema;

/// One transaction that a hardware wallet is asked to sign.
pub struct Request {
    /// The item, counted from 0.
    pub item: usize,
    /// The transaction within it: the fee levels, then the cancel.
    pub transaction: usize,
    /// The request.
    pub asked: HardwareRequest,
    /// Is its signature here?
    pub signed: bool,
}

/// Every request of a batch in order; refused before it has left.
pub async fn requests(db: &mut Db, batch: &Batch) -> Result<(Content, Vec<Request>), BatchError> {
    let content = batches::content(db, &batch.id).await?;
    if !pays(&content) {
        let why = format!("batch {} is paid by no hardware wallet", batch.id);
        return Err(BatchError::Hardware { why });
    }
    if store::exported_at(db, &batch.id).await?.is_none() {
        let expected = State::Exported;
        let why =
            format!("batch {} is {}, not yet {expected}: POST /v1/bundles first", batch.id, batch.state);
        return Err(BatchError::Hardware { why });
    }
    let key = key(db, batch, &content).await?;
    let known = store::signatures(db, &batch.id).await?;
    let mut requests = Vec::new();
    for item in 0..content.items.len() {
        for transaction in 0..content.signatures_per_item() {
            let asked = HardwareRequest::listed(&content, item, transaction, &key).map_err(refused)?;
            let signed = known.iter().any(|(i, t, _)| (*i, *t) == (item, transaction));
            requests.push(Request { item, transaction, asked, signed });
        }
    }
    Ok((content, requests))
}

fn refused(error: RequestError) -> BatchError {
    BatchError::Hardware { why: error.to_string() }
}

/// The device's key, as the batch's policy lists it.
async fn key(db: &mut Db, batch: &Batch, content: &Content) -> Result<HardwareKey, BatchError> {
    let policy = approve::policy(db, batch).await?;
    let network = policy.policy.network(content.network);
    let listed = content.source.and_then(|source| network?.paying(&source)?.hardware.clone());
    let none = || BatchError::Hardware {
        why: "the batch's policy lists no hardware wallet as its source".to_owned(),
    };
    listed.ok_or_else(none)
}

/// One transaction that the device is asked to sign, for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct HardwareAsked {
    /// The item, counted from 0.
    item: usize,
    /// The transaction within it: the fee levels, then the cancel.
    transaction: usize,
    /// What it is: `payment 0` or `cancel`.
    level: String,
    #[schema(value_type = Option<Whole>)]
    item_id: Option<String>,
    /// What the answer must repeat.
    request_id: String,
    /// Is its signature here?
    signed: bool,
    /// The Uniform Resource that the device scans.
    ur: String,
    /// The type of the Uniform Resource that comes back.
    answers_with: &'static str,
    device_shows: DeviceShows,
}

/// What people compare with the device's screen: what a transaction of this kind has.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceShows {
    #[schema(value_type = NetworkName)]
    network: Network,
    #[schema(value_type = AddressText)]
    from: String,
    path: String,
    fingerprint: Option<String>,
    signing_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Whole>)]
    account_nonce: Option<String>,
    /// Amount and symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pays: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AmountBase>)]
    amount_base: Option<BaseUnits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AddressText>)]
    to: Option<String>,
    /// The token's, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AddressText>)]
    contract: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Whole>)]
    fee_limit_sun: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Whole>)]
    gas_limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Whole>)]
    max_fee_per_gas_wei: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Whole>)]
    max_priority_fee_per_gas_wei: Option<String>,
}

impl Request {
    /// For people: the text, and what they compare with the device's screen.
    pub fn shown(&self, content: &Content) -> Result<HardwareAsked, BatchError> {
        let ur = self.asked.ur().map_err(refused)?;
        let item = content.items.get(self.item);
        Ok(HardwareAsked {
            item: self.item,
            transaction: self.transaction,
            level: level(content, self.transaction),
            item_id: item.map(|item| item.id.number().to_string()),
            request_id: self.asked.request_id().to_string(),
            signed: self.signed,
            ur: ur.text(),
            answers_with: self.asked.reply_type(),
            device_shows: self.device_shows(content),
        })
    }

    /// The fields of the transaction, read from the content that both sides build it from.
    fn device_shows(&self, content: &Content) -> DeviceShows {
        let item = content.items.get(self.item);
        let paid = item.filter(|_| level(content, self.transaction) != "cancel");
        let contract = content.asset.contract.as_ref().map(Address::to_string);
        let (fee_limit_sun, gas) = match &content.context {
            Context::Tron(tron) => (Some(tron.fee_limit_sun.to_string()), None),
            Context::Evm(evm) => {
                let terms = evm.levels.get(self.transaction).map(|fee| (evm.gas_limit, *fee));
                (None, terms.or(evm.cancel.map(|cancel| (cancel.gas_limit, cancel.fee))))
            }
        };
        // Without an item there is nothing that the fees belong to.
        let (fee_limit_sun, gas) = (fee_limit_sun.filter(|_| item.is_some()), gas.filter(|_| item.is_some()));
        DeviceShows {
            network: content.network,
            from: self.asked.source().to_string(),
            path: self.asked.path().to_string(),
            fingerprint: self.asked.path().source_fingerprint.map(hex::encode),
            signing_hash: hex::encode(self.asked.unsigned().signing_hash()),
            chain_id: match content.network {
                Network::Evm { chain_id } => Some(chain_id),
                Network::Tron { .. } => None,
            },
            account_nonce: item.and_then(|item| item.account_nonce).map(|nonce| nonce.to_string()),
            pays: paid.map(|item| {
                format!("{} {}", item.amount.to_decimal(content.asset.decimals), content.asset.symbol)
            }),
            amount_base: paid.map(|item| item.amount),
            to: paid.map(|item| item.destination.to_string()),
            contract: contract.filter(|_| paid.is_some()),
            fee_limit_sun,
            gas_limit: gas.map(|(limit, _)| limit.to_string()),
            max_fee_per_gas_wei: gas.map(|(_, fee)| fee.max_fee_per_gas_wei.to_string()),
            max_priority_fee_per_gas_wei: gas.map(|(_, fee)| fee.max_priority_fee_per_gas_wei.to_string()),
        }
    }
}

fn level(content: &Content, transaction: usize) -> String {
    match &content.context {
        Context::Evm(evm) if transaction >= evm.levels.len() => "cancel".to_owned(),
        _ => format!("payment {transaction}"),
    }
}

/// Which picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One code.
    Png,
    /// A loop of several parts, or of one.
    Gif,
}

/// The request as QR code, or as a loop of its parts where one code of this size is too small.
pub fn pictures(
    request: &HardwareRequest,
    size: FrameSize,
    kind: Kind,
    pixels: u32,
    frames_per_second: u8,
) -> Result<Vec<u8>, BatchError> {
    let parts =
        Parts::fitting(request.ur().map_err(refused)?, size).map_err(RequestError::from).map_err(refused)?;
    // A loop of the fragments alone; whoever misses one waits for its next turn.
    let texts = (1..).take(parts.total()).map(|number| QrImage::encode(&parts.text(number), size));
    let images = texts.collect::<Result<Vec<_>, _>>()?;
    match (images.as_slice(), kind) {
        ([image], Kind::Png) => Ok(image.png(pixels)?),
        (_, Kind::Png) => Err(refused(UrError::QrTooSmall { room: size.characters() }.into())),
        (images, Kind::Gif) => Ok(animation(images, pixels, u16::from(frames_per_second))?),
    }
}
