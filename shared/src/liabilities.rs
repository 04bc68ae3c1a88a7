//! Proof of liabilities (L8): what the coordinator owes, in one signed number that every creditor can check.
//!
//! The coordinator takes one still picture of its books, makes a tree of one leaf per creditor (user or partner, available
//! and held together), and signs the root with the totals and what its reserves hold. Each creditor gets a proof of their
//! own leaf. Whoever leaves a creditor out, or lowers a balance, is found by that creditor. What is hashed is plain text:
//!
//! ```text
//! leaf       SHA-256( 00 | "airlock:liability:1" LF salt LF owner LF sums )
//! pair       SHA-256( 01 | left hash LF left sums LF right hash LF right sums )
//! statement  SHA-256( "airlock:liabilities:1" LF profile LF taken_at LF last_transfer LF assets LF creditors LF root LF sums
//!                     LF unassigned, then per reserve LF network SP wallet SP asset SP booked SP (final SP block or "-") )
//! ```
//! Sums are decimal minor units with commas, in the order of the assets, which are written `USDT:6,TRX:6`; hashes and salts lower-case hex; no
//! line feed at the end. What must stay true: no sum is negative or overflows; a proof says nothing of whose the other
//! leaves are (each has a salt of 256 random bits).

pub mod tree;

use crate::amount::BaseUnits;
use crate::digest::Digest;
use crate::document::Document;
use crate::form::{Form, FormError, Node, Reader, Writer};
use crate::identity::{Identity, IdentitySignature};
use crate::network::{Network, Profile};
use ed25519_dalek::SigningKey;
use tree::{Summed, Sums};

/// The most assets of one statement.
pub const MAX_ASSETS: usize = 64;
/// The most reserve lines of one statement.
pub const MAX_RESERVES: usize = 100_000;
/// The longest path: creditors are counted in 32 bits.
const MAX_PATH: usize = 32;
/// The longest owner, such as `user:` and an id.
const MAX_OWNER: usize = 80;

/// An asset and in how many decimals its sums count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountedAsset {
    /// Its code in the ledger: 1 to 12 of `A-Z 0-9`.
    pub code: String,
    /// Decimals of its minor unit.
    pub decimals: u8,
}

/// What one of our addresses holds of one asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reserve {
    /// Where.
    pub network: Network,
    /// The address, in its network's spelling.
    pub wallet: String,
    /// The asset's code.
    pub asset: String,
    /// Decimals of the amounts below.
    pub decimals: u8,
    /// What the books say, base units.
    pub booked: BaseUnits,
    /// What the chain says at a final block; absent where no provider answered.
    pub found: Option<FinalBalance>,
}

/// A balance at a final block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FinalBalance {
    /// Base units.
    pub amount: BaseUnits,
    /// Height of the block.
    pub block: u64,
}

/// What is owed and what is there, at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// What kind of money.
    pub profile: Profile,
    /// When the picture was taken, UTC seconds.
    pub taken_at: u64,
    /// The newest transfer in it.
    pub last_transfer: u64,
    /// The assets, in the order of all sums.
    pub assets: Vec<CountedAsset>,
    /// How many leaves the tree has.
    pub creditors: u64,
    /// The tree's root: all that is owed to creditors.
    pub root: Summed,
    /// Arrived, owner not known yet: owed too, to nobody named.
    pub unassigned: Sums,
    /// What lies on the chains.
    pub reserves: Vec<Reserve>,
}

/// Why a statement or a proof is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiabilityError {
    /// Nobody is owed anything.
    #[error("there is no creditor")]
    Empty,
    /// A sum leaves 63 bits.
    #[error("a sum leaves 63 bits")]
    Overflow,
    /// Somebody else signed it.
    #[error("signed by {found}, not by {expected}")]
    OtherSigner {
        /// Whose signature is needed.
        expected: Identity,
        /// Whose it says it is.
        found: Identity,
    },
    /// The signature does not fit.
    #[error("the signature does not fit: the statement was changed, or another key signed it")]
    Signature,
    /// The proof belongs to another statement.
    #[error("the proof is of statement {found}, not of {expected}")]
    OtherStatement {
        /// Digest of the statement at hand.
        expected: Digest,
        /// Which one the proof names.
        found: Digest,
    },
    /// The leaf does not lead to the root.
    #[error(
        "{owner} with these sums does not lead to the signed root: owner, sums, salt or path was changed"
    )]
    Root {
        /// The owner of the proof.
        owner: String,
    },
}

/// One creditor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Creditor {
    /// `user:ID` or `partner:ID`.
    pub owner: String,
    /// 256 random bits, of this statement alone.
    pub salt: Digest,
    /// What is owed.
    pub sums: Sums,
}

impl Creditor {
    /// Its leaf.
    pub fn leaf(&self) -> Summed {
        tree::leaf(&self.salt, &self.owner, self.sums.clone())
    }
}

impl Statement {
    /// What is signed.
    pub fn digest(&self) -> Digest {
        let assets: Vec<String> =
            self.assets.iter().map(|asset| format!("{}:{}", asset.code, asset.decimals)).collect();
        let mut text = format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.profile.name(),
            self.taken_at,
            self.last_transfer,
            assets.join(","),
            self.creditors,
            self.root.hash,
            self.root.sums,
            self.unassigned,
        );
        for reserve in &self.reserves {
            let Reserve { network, wallet, asset, decimals, booked, found } = reserve;
            text.push_str(&format!("\n{network} {wallet} {asset}:{decimals} {booked} "));
            match found {
                Some(FinalBalance { amount, block }) => text.push_str(&format!("{amount} {block}")),
                None => text.push('-'),
            }
        }
        Digest::of("airlock:liabilities:1", text.as_bytes())
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> SignedStatement {
        let signature = IdentitySignature::by(key, &self.digest());
        SignedStatement { statement: self, signer: Identity::of(key), signature }
    }

    /// All that is owed: to creditors, and to nobody named yet.
    pub fn owed(&self) -> Result<Sums, LiabilityError> {
        self.root.sums.checked_add(&self.unassigned).ok_or(LiabilityError::Overflow)
    }
}

/// A statement under the coordinator's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedStatement {
    /// What is stated.
    pub statement: Statement,
    /// By whom: the coordinator's identity.
    pub signer: Identity,
    /// Over [`Statement::digest`].
    pub signature: IdentitySignature,
}

impl SignedStatement {
    /// Did `signer` sign it?
    pub fn check(&self, signer: &Identity) -> Result<(), LiabilityError> {
        if self.signer != *signer {
            return Err(LiabilityError::OtherSigner { expected: *signer, found: self.signer });
        }
        if !signer.verifies(&self.statement.digest(), &self.signature) {
            return Err(LiabilityError::Signature);
        }
        Ok(())
    }
}

/// The proof of one creditor's leaf: what a user gets and checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InclusionProof {
    /// The digest of the statement it belongs to.
    pub statement: Digest,
    /// Whose, with the salt and the sums.
    pub creditor: Creditor,
    /// Its place among the leaves.
    pub index: u64,
    /// The nodes that lead from its leaf to the root, from below.
    pub path: Vec<Summed>,
}

impl InclusionProof {
    /// Is this leaf part of what was signed? Whoever calls this has checked the statement's signature.
    pub fn check(&self, statement: &Statement) -> Result<(), LiabilityError> {
        let expected = statement.digest();
        if self.statement != expected {
            return Err(LiabilityError::OtherStatement { expected, found: self.statement });
        }
        let root = tree::root_from(self.creditor.leaf(), self.index, statement.creditors, &self.path);
        if root.as_ref() != Some(&statement.root) {
            return Err(LiabilityError::Root { owner: self.creditor.owner.clone() });
        }
        Ok(())
    }
}

impl Form for CountedAsset {
    fn write(&self, to: &mut Writer) {
        to.text(0, "code", &self.code);
        to.uint(1, "decimals", u64::from(self.decimals));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self { code: asset_code(from, 0, "code")?, decimals: decimals(from, 1)? })
    }
}

fn asset_code(from: &mut Reader, key: u64, name: &str) -> Result<String, FormError> {
    from.parsed(key, name, 12, "an asset code of A-Z and 0-9", |text| {
        let plain = text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        (plain && !text.is_empty()).then(|| text.to_owned())
    })
}

fn decimals(from: &mut Reader, key: u64) -> Result<u8, FormError> {
    let found = from.byte(key, "decimals")?;
    if found <= 77 { Ok(found) } else { Err(from.refused("decimals", "is above 77")) }
}

/// A text without the characters that separate fields in what is hashed.
fn word(from: &mut Reader, key: u64, name: &str, limit: usize) -> Result<String, FormError> {
    from.parsed(key, name, limit, "printable ASCII without spaces", |text| {
        (!text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())).then(|| text.to_owned())
    })
}

impl Form for Reserve {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        to.text(1, "wallet", &self.wallet);
        to.text(2, "asset", &self.asset);
        to.uint(3, "decimals", u64::from(self.decimals));
        to.amount(4, "booked", self.booked);
        if let Some(found) = &self.found {
            to.amount(5, "final", found.amount);
            to.uint(6, "block", found.block);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            network: from.parsed(0, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?,
            wallet: word(from, 1, "wallet", 64)?,
            asset: asset_code(from, 2, "asset")?,
            decimals: decimals(from, 3)?,
            booked: from.amount(4, "booked")?,
            found: match from.has(5, "final") {
                true => {
                    Some(FinalBalance { amount: from.amount(5, "final")?, block: from.uint(6, "block")? })
                }
                false => None,
            },
        })
    }
}

fn write_sums(to: &mut Writer, key: u64, name: &'static str, sums: &Sums) {
    let nodes = sums.minor().iter().map(|sum| to.wide_node(*sum)).collect();
    to.put(key, name, Node::List(nodes));
}

fn read_sums(from: &mut Reader, key: u64, name: &str) -> Result<Sums, FormError> {
    let nodes = from.list(key, name, MAX_ASSETS)?;
    let minor = nodes.into_iter().map(|node| from.wide_from(name, node)).collect::<Result<Vec<_>, _>>()?;
    Sums::new(minor).ok_or_else(|| from.refused(name, "leaves 63 bits"))
}

impl Form for Summed {
    fn write(&self, to: &mut Writer) {
        to.digest(0, "hash", &self.hash);
        write_sums(to, 1, "sums", &self.sums);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self { hash: from.digest(0, "hash")?, sums: read_sums(from, 1, "sums")? })
    }
}

impl Form for SignedStatement {
    fn write(&self, to: &mut Writer) {
        let statement = &self.statement;
        to.choice(0, "profile", statement.profile);
        to.uint(1, "taken_at", statement.taken_at);
        to.uint(2, "last_transfer", statement.last_transfer);
        to.parts(3, "assets", &statement.assets);
        to.uint(4, "creditors", statement.creditors);
        to.part(5, "root", &statement.root);
        write_sums(to, 6, "unassigned", &statement.unassigned);
        to.parts(7, "reserves", &statement.reserves);
        to.bytes(8, "signer", self.signer.as_bytes());
        to.bytes(9, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let statement = Statement {
            profile: from.choice(0, "profile")?,
            taken_at: from.uint(1, "taken_at")?,
            last_transfer: from.uint(2, "last_transfer")?,
            assets: from.parts(3, "assets", MAX_ASSETS)?,
            creditors: from.uint(4, "creditors")?,
            root: from.part(5, "root")?,
            unassigned: read_sums(from, 6, "unassigned")?,
            reserves: from.parts(7, "reserves", MAX_RESERVES)?,
        };
        let counted = statement.assets.len();
        if statement.root.sums.minor().len() != counted || statement.unassigned.minor().len() != counted {
            return Err(from.refused("root", "counts other assets than the statement"));
        }
        if !(1..=1 << 32).contains(&statement.creditors) {
            return Err(from.refused("creditors", "is not within 1 and 2^32"));
        }
        let profiles = statement.reserves.iter().map(|reserve| reserve.network.profile());
        if profiles.into_iter().any(|profile| profile != statement.profile) {
            return Err(from.refused("reserves", "are of another profile"));
        }
        let signer = Identity::from_bytes(from.exact(8, "signer")?);
        Ok(Self { statement, signer, signature: IdentitySignature::from_bytes(from.exact(9, "signature")?) })
    }
}

impl Document for SignedStatement {
    const KIND: u8 = 13;
    const NAME: &'static str = "airlock liabilities";
}

impl Form for InclusionProof {
    fn write(&self, to: &mut Writer) {
        to.digest(0, "statement", &self.statement);
        to.text(1, "owner", &self.creditor.owner);
        to.digest(2, "salt", &self.creditor.salt);
        write_sums(to, 3, "sums", &self.creditor.sums);
        to.uint(4, "index", self.index);
        to.parts(5, "path", &self.path);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            statement: from.digest(0, "statement")?,
            creditor: Creditor {
                owner: word(from, 1, "owner", MAX_OWNER)?,
                salt: from.digest(2, "salt")?,
                sums: read_sums(from, 3, "sums")?,
            },
            index: from.uint(4, "index")?,
            path: from.parts(5, "path", MAX_PATH)?,
        })
    }
}

impl Document for InclusionProof {
    const KIND: u8 = 14;
    const NAME: &'static str = "airlock inclusion proof";
}
