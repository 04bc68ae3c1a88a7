//! Copies of a signer's state: journal, refusals and policy, with a manifest that the signer signs (K2).
//!
//! Called by `backup state`, which makes one, and by `genesis propose`, which reads them. A copy brings no
//! signer back by itself: custodians draw up the terms of a genesis from it. What must stay true: no secret
//! is in a copy; a file that is not what the manifest says is an error that names it; a copy without its
//! manifest is read, and said to be unproven: each entry in it carries its signer's signature anyway.

use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::Journal;
use crate::vault::Device;
use airlock_shared::Digest;
use airlock_shared::document::{self, Document};
use airlock_shared::form::{self, Form, FormError, Reader, Writer};
use airlock_shared::identity::{Identity, IdentitySignature};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The longest file of a copy; a journal of many years.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Name of the manifest.
const MANIFEST: &str = "manifest.json";
/// The files of a copy; the policy may be missing.
const NAMES: [&str; 3] = ["journal.airlock", "refusals.airlock", "policy.json"];

/// What a copy holds, under the signer's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Whose state it is.
    pub signer: Identity,
    /// When it was made, UTC seconds.
    pub made_at: u64,
    /// Number of the journal's newest entry.
    pub sequence: u64,
    /// The head that it makes.
    pub head: Digest,
    /// The files, sorted by name.
    pub files: Vec<Listed>,
    /// The signer's signature over all that.
    pub signature: IdentitySignature,
}

/// A file of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl Listed {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let sha256 = Digest::from_bytes(Sha256::digest(bytes).into());
        Self { name: name.to_owned(), bytes: bytes.len() as u64, sha256 }
    }
}

impl Manifest {
    fn digest(&self) -> Digest {
        let unsigned = Self { signature: IdentitySignature::from_bytes([0; 64]), ..self.clone() };
        Digest::of("airlock:state-backup:1", &form::to_cbor(&unsigned))
    }
}

impl Form for Listed {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.uint(1, "bytes", self.bytes);
        to.digest(2, "sha256", &self.sha256);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let name = from.text(0, "name", 64)?;
        Ok(Self { name, bytes: from.uint(1, "bytes")?, sha256: from.digest(2, "sha256")? })
    }
}

impl Form for Manifest {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "signer", self.signer.as_bytes());
        to.uint(1, "made_at", self.made_at);
        to.uint(2, "sequence", self.sequence);
        to.digest(3, "head", &self.head);
        to.parts(4, "files", &self.files);
        to.bytes(5, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            signer: Identity::from_bytes(from.exact(0, "signer")?),
            made_at: from.uint(1, "made_at")?,
            sequence: from.uint(2, "sequence")?,
            head: from.digest(3, "head")?,
            files: from.parts(4, "files", NAMES.len())?,
            signature: IdentitySignature::from_bytes(from.exact(5, "signature")?),
        })
    }
}

impl Document for Manifest {
    const KIND: u8 = 12;
    const NAME: &'static str = "airlock state backup";
}

/// Copies the state of `home` into `folder`. The caller holds the single-writer lock, and `journal` is the
/// opened one: it verifies and ends where the vault remembers.
pub fn save(
    home: &Home,
    device: &Device,
    journal: &Journal,
    folder: &Path,
    now: u64,
) -> Result<Manifest, Failure> {
    let mut files = Vec::new();
    for name in NAMES {
        let from = home.root().join(name);
        if name == NAMES[2] && !from.exists() {
            continue;
        }
        let bytes = read(&from)?;
        put(&folder.join(name), &bytes)?;
        files.push(Listed::of(name, &bytes));
    }
    let anchor = journal.anchor();
    let mut manifest = Manifest {
        signer: device.identity(),
        made_at: now,
        sequence: anchor.sequence,
        head: anchor.head,
        files,
        signature: IdentitySignature::from_bytes([0; 64]),
    };
    manifest.signature = IdentitySignature::by(&device.key, &manifest.digest());
    put(&folder.join(MANIFEST), manifest.to_json().as_bytes())?;
    Ok(manifest)
}

/// A copy that was read from a folder.
pub struct Copy {
    folder: PathBuf,
    manifest: Option<Vec<u8>>,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Copy {
    /// Reads the files of `folder`. Before the sandbox; nothing is decoded yet.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let there = |name: &&str| folder.join(name).exists();
        let files = NAMES.into_iter().filter(there).map(|name| Ok((name, read(&folder.join(name))?)));
        let files = files.collect::<Result<_, Failure>>()?;
        let manifest = folder.join(MANIFEST);
        let manifest = if manifest.exists() { Some(read(&manifest)?) } else { None };
        Ok(Self { folder: folder.into(), manifest, files })
    }

    /// Are the files those of the manifest, and is it signed? What to tell the person.
    pub fn verify(&self) -> Result<String, Failure> {
        let Some(bytes) = &self.manifest else {
            return Ok(format!("{}: a copy without a manifest", self.folder.display()));
        };
        let manifest: Manifest = document::read(bytes).map_err(|error| self.broken(MANIFEST, &error))?;
        if !manifest.signer.verifies(&manifest.digest(), &manifest.signature) {
            return Err(self.broken(MANIFEST, &"the signature does not fit"));
        }
        let files: Vec<_> = self.files.iter().map(|(name, bytes)| Listed::of(name, bytes)).collect();
        if files != manifest.files {
            let lost = manifest.files.iter().find(|listed| !files.contains(listed));
            let other = lost.or_else(|| files.iter().find(|file| !manifest.files.contains(file)));
            let name = other.map_or(MANIFEST, |listed| listed.name.as_str());
            return Err(self.broken(name, &"not what the manifest says"));
        }
        let made = crate::review::utc(manifest.made_at);
        Ok(format!(
            "{}: entry {} of signer {}, {made}",
            self.folder.display(),
            manifest.sequence,
            manifest.signer
        ))
    }

    /// Its journal; every entry is verified against the signature of the signer that it names.
    pub fn journal(&self) -> Result<Journal, Failure> {
        let bytes = self.files.iter().find(|(name, _)| *name == NAMES[0]).map(|(_, bytes)| bytes);
        let bytes = bytes.ok_or_else(|| self.broken(NAMES[0], &"is missing"))?;
        Ok(Journal::of_copy(bytes)?)
    }

    fn broken(&self, name: &str, why: &dyn ToString) -> Failure {
        let path = self.folder.join(name);
        Failure::new(Exit::Transfer, "state_backup", format!("{}: {}", path.display(), why.to_string()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: &dyn ToString| {
        Failure::new(Exit::Transfer, "state_backup", format!("{}: {}", path.display(), why.to_string()))
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(failed(&format!("longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// A new private file, on the disk when this returns; an earlier copy is never overwritten.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", path.display())))
}
