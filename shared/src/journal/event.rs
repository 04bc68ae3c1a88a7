//! What the entries of a chain record.
//!
//! Written by the session and by the commands that change a signer, read by whoever replays a chain. What must
//! stay true: an event is small, because unacknowledged ones travel in receipts; what is longer stands beside
//! the entry and is bound here by its digest.

use crate::digest::Digest;
use crate::form::{Form, FormError, Reader, Writer, closed_list};
use crate::identity::Identity;
use crate::network::Profile;

/// Longest detail of a ceremony, bytes.
const MAX_DETAIL_BYTES: usize = 256;
/// Longest refusal code, bytes.
const MAX_CODE_BYTES: usize = 64;

/// What an entry records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The journal begins.
    Genesis {
        /// What the vault's keys are for.
        profile: Profile,
        /// Digest of the pinned roster.
        roster: Digest,
        /// Digest of the custodians' terms ([`crate::genesis::Genesis`]) where a restored vault begins;
        /// `None` where the vault is new.
        terms: Option<Digest>,
    },
    /// A coordinator was paired.
    Paired {
        /// Its identity.
        coordinator: Identity,
    },
    /// A policy came into force.
    PolicyInstalled {
        /// Its version.
        version: u64,
        /// Its digest.
        digest: Digest,
    },
    /// From here on this content counts as signed.
    Intent {
        /// Digest of the content.
        content: Digest,
        /// Digest of the approvals that were seen.
        approvals: Digest,
        /// Digest of the [`Record`](super::Record).
        record: Digest,
    },
    /// The signatures of an intent exist and may leave.
    Signed {
        /// Digest of the content.
        content: Digest,
        /// Digest of the signatures.
        signatures: Digest,
    },
    /// A batch was refused.
    Refused {
        /// Digest of the content, or of the bytes when they did not even decode.
        content: Digest,
        /// The refusal code, such as `policy.per_item_limit`.
        code: String,
        /// Digest of the [`super::FirstSeen`] destinations whose delay begins here; nothing but them was
        /// against the policy.
        first_seen: Option<Digest>,
    },
    /// Custodians re-anchored the journal at a head that it did not hold.
    Reanchored {
        /// Digest of their terms ([`crate::genesis::Genesis`]).
        terms: Digest,
    },
    /// Something that people did with this signer and that changes what may come of it.
    Ceremony {
        /// What.
        kind: Ceremony,
        /// Which key, wallet or range, for people; no secrets.
        detail: String,
    },
}

closed_list! {
    /// What people do with a signer besides signing.
    Ceremony {
        /// Worked with a network interface up before any policy allowed it.
        NetworkOverride = 0 "network_override",
        /// Brought in a private key.
        KeyImported = 1 "key_imported",
        /// Retired a wallet; it signs nothing more.
        WalletRetired = 2 "wallet_retired",
        /// Made a backup.
        BackupMade = 3 "backup_made",
        /// Attested deposit addresses.
        AddressesAttested = 4 "addresses_attested",
        /// Changed a passphrase.
        PassphraseChanged = 5 "passphrase_changed",
    }
}

closed_list! {
    /// Which event it is.
    EventKind {
        /// [`Event::Genesis`].
        Genesis = 0 "genesis",
        /// [`Event::Paired`].
        Paired = 1 "paired",
        /// [`Event::PolicyInstalled`].
        PolicyInstalled = 2 "policy_installed",
        /// [`Event::Intent`].
        Intent = 3 "intent",
        /// [`Event::Signed`].
        Signed = 4 "signed",
        /// [`Event::Refused`].
        Refused = 5 "refused",
        /// [`Event::Reanchored`].
        Reanchored = 6 "reanchored",
        /// [`Event::Ceremony`].
        Ceremony = 7 "ceremony",
    }
}

impl Event {
    /// Its word in JSON and on screens.
    pub const fn word(&self) -> &'static str {
        self.kind().word()
    }

    /// Which one it is.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Genesis { .. } => EventKind::Genesis,
            Self::Paired { .. } => EventKind::Paired,
            Self::PolicyInstalled { .. } => EventKind::PolicyInstalled,
            Self::Intent { .. } => EventKind::Intent,
            Self::Signed { .. } => EventKind::Signed,
            Self::Refused { .. } => EventKind::Refused,
            Self::Reanchored { .. } => EventKind::Reanchored,
            Self::Ceremony { .. } => EventKind::Ceremony,
        }
    }
}

impl Form for Event {
    fn write(&self, to: &mut Writer) {
        to.choice(0, "event", self.kind());
        match self {
            Self::Genesis { profile, roster, terms } => {
                to.choice(1, "profile", *profile);
                to.digest(2, "roster", roster);
                if let Some(terms) = terms {
                    to.digest(11, "terms", terms);
                }
            }
            Self::Paired { coordinator } => to.bytes(3, "coordinator", coordinator.as_bytes()),
            Self::PolicyInstalled { version, digest } => {
                to.uint(4, "version", *version);
                to.digest(5, "digest", digest);
            }
            Self::Intent { content, approvals, record } => {
                to.digest(6, "content", content);
                to.digest(7, "approvals", approvals);
                to.digest(8, "record", record);
            }
            Self::Signed { content, signatures } => {
                to.digest(6, "content", content);
                to.digest(9, "signatures", signatures);
            }
            Self::Refused { content, code, first_seen } => {
                to.digest(6, "content", content);
                to.text(10, "code", code);
                if let Some(first_seen) = first_seen {
                    to.digest(12, "first_seen", first_seen);
                }
            }
            Self::Reanchored { terms } => to.digest(11, "terms", terms),
            Self::Ceremony { kind, detail } => {
                to.choice(13, "ceremony", *kind);
                to.text(14, "detail", detail);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        match from.choice(0, "event")? {
            EventKind::Genesis => {
                let profile = from.choice(1, "profile")?;
                let roster = from.digest(2, "roster")?;
                Ok(Self::Genesis { profile, roster, terms: digest_if_there(from, 11, "terms")? })
            }
            EventKind::Paired => {
                Ok(Self::Paired { coordinator: Identity::from_bytes(from.exact(3, "coordinator")?) })
            }
            EventKind::PolicyInstalled => {
                let version = from.uint(4, "version")?;
                Ok(Self::PolicyInstalled { version, digest: from.digest(5, "digest")? })
            }
            EventKind::Intent => Ok(Self::Intent {
                content: from.digest(6, "content")?,
                approvals: from.digest(7, "approvals")?,
                record: from.digest(8, "record")?,
            }),
            EventKind::Signed => Ok(Self::Signed {
                content: from.digest(6, "content")?,
                signatures: from.digest(9, "signatures")?,
            }),
            EventKind::Refused => {
                let content = from.digest(6, "content")?;
                let code = from.text(10, "code", MAX_CODE_BYTES)?;
                Ok(Self::Refused { content, code, first_seen: digest_if_there(from, 12, "first_seen")? })
            }
            EventKind::Reanchored => Ok(Self::Reanchored { terms: from.digest(11, "terms")? }),
            EventKind::Ceremony => {
                let kind = from.choice(13, "ceremony")?;
                let detail = from.text(14, "detail", MAX_DETAIL_BYTES)?;
                if detail.chars().any(char::is_control) {
                    return Err(from.refused("detail", "has control characters"));
                }
                Ok(Self::Ceremony { kind, detail })
            }
        }
    }
}

fn digest_if_there(from: &mut Reader, key: u64, name: &str) -> Result<Option<Digest>, FormError> {
    if from.has(key, name) { from.digest(key, name).map(Some) } else { Ok(None) }
}
