//! `audit export`: the chained log as one signed file, and its verification without a database.
//!
//! ```text
//! JSON lines, each compact and ending in a line feed:
//! header | the rows of a link, in order | that link | the rows of the next link | … | end
//! ```
//! The end has the counts, the SHA-256 of every byte before it, and the coordinator's signature over that. What must stay
//! true: everything comes from one still picture of the database, read in pages; the file appears under its name only when it is
//! whole; reading checks a limit before it allocates.

use super::chain::{Entry, Fault, Link, Wrong};
use super::store;
use super::verify::{Asked, Verified};
use crate::clock::UnixMillis;
use crate::db::{Database, Db};
use crate::ledger::LedgerError;
use airlock_shared::Digest;
use airlock_shared::digest::bytes_from_lower_hex;
use airlock_shared::identity::{Identity, IdentitySignature};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What the first line says it is.
pub const FORMAT: &str = "airlock audit";
/// The only version this program writes and reads.
pub const VERSION: u64 = 1;
/// The longest line, its line feed not counted: a link's 1,000 digests and then some.
pub const LINE_BYTES_MAX: usize = 128 << 10;

/// Why there is no export, or why a file cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be written or read, or is there already.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log itself is not sound; `audit verify` says more.
    #[error("the link at row {first} cannot be read: run `audit verify`")]
    Link {
        /// Its first row.
        first: i64,
    },
    /// Not such a file.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Header { format: String, version: u64, coordinator: String, made_at_ms: UnixMillis },
    Row(RowLine),
    Link(LinkLine),
    End { rows: i64, links: i64, sha256: String, signature: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowLine {
    number: i64,
    made_at_ms: UnixMillis,
    who: String,
    tenant: String,
    address: String,
    request_id: String,
    action: String,
    subject: String,
    before: String,
    after: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkLine {
    first: i64,
    last: i64,
    made_at_ms: UnixMillis,
    digests: Vec<String>,
    digest: String,
    signer: String,
    signature: String,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Counts {
    /// Rows.
    pub rows: i64,
    /// Links.
    pub links: i64,
}

/// Writes every chained row and the links over them to `out`.
pub async fn export(
    database: &Database,
    key: &SigningKey,
    now: UnixMillis,
    out: &Path,
) -> Result<Counts, ExportError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    if out.exists() {
        return Err(io(out)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = out.with_file_name(name);
    let file = std::fs::File::create(&part).map_err(io(&part))?;
    let mut sink = Sink { file: BufWriter::with_capacity(1 << 16, file), hash: Sha256::new(), part };
    sink.put(&Line::Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        coordinator: Identity::of(key).to_string(),
        made_at_ms: now,
    })?;
    let mut db = database.begin_read().await?;
    let counts = write_all(&mut db, &mut sink).await?;
    let sha256: [u8; 32] = sink.hash.clone().finalize().into();
    let signature = IdentitySignature::by(key, &export_digest(&sha256));
    let (rows, links) = (counts.rows, counts.links);
    let (sha256, signature) = (hex::encode(sha256), hex::encode(signature.as_bytes()));
    sink.put(&Line::End { rows, links, sha256, signature })?;
    let Sink { mut file, part, .. } = sink;
    file.flush().map_err(io(&part))?;
    file.get_ref().sync_all().map_err(io(&part))?;
    std::fs::rename(&part, out).map_err(io(out))?;
    Ok(counts)
}

fn export_digest(sha256: &[u8; 32]) -> Digest {
    Digest::of("airlock:audit-export:1", sha256)
}

struct Sink {
    file: BufWriter<std::fs::File>,
    hash: Sha256,
    part: PathBuf,
}

impl Sink {
    fn put(&mut self, line: &Line) -> Result<(), ExportError> {
        let io = |source| ExportError::Io { path: self.part.clone(), source };
        let mut bytes = serde_json::to_vec(line).map_err(|error| io(error.into()))?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        self.file.write_all(&bytes).map_err(io)
    }
}

async fn write_all(db: &mut Db, sink: &mut Sink) -> Result<Counts, ExportError> {
    let mut counts = Counts { rows: 0, links: 0 };
    let mut from = 1;
    loop {
        // One link at a time: its rows are a page.
        let Some(link) = store::links_from(db, from, 1).await?.pop() else { return Ok(counts) };
        let link = link.map_err(|first| ExportError::Link { first })?;
        let limit = i64::try_from(link.digests.len()).unwrap_or(i64::MAX);
        for row in store::rows_after(db, link.first.saturating_sub(1), limit).await? {
            if row.number <= link.last {
                counts.rows += 1;
                sink.put(&Line::Row(shown(row)))?;
            }
        }
        counts.links += 1;
        from = link.last.saturating_add(1);
        sink.put(&Line::Link(shown_link(&link)))?;
    }
}

fn shown(row: Entry) -> RowLine {
    let Entry { number, made_at, who, tenant, address, request_id, action, subject, before, after } = row;
    RowLine { number, made_at_ms: made_at, who, tenant, address, request_id, action, subject, before, after }
}

fn shown_link(link: &Link) -> LinkLine {
    LinkLine {
        first: link.first,
        last: link.last,
        made_at_ms: link.made_at,
        digests: link.digests.iter().map(Digest::to_string).collect(),
        digest: link.digest.to_string(),
        signer: link.signer.to_string(),
        signature: hex::encode(link.signature.as_bytes()),
    }
}

impl RowLine {
    fn entry(self) -> Entry {
        let Self { number, made_at_ms, who, tenant, address, request_id, action, subject, before, after } =
            self;
        Entry {
            number,
            made_at: made_at_ms,
            who,
            tenant,
            address,
            request_id,
            action,
            subject,
            before,
            after,
        }
    }
}

impl LinkLine {
    fn link(&self) -> Option<Link> {
        Some(Link {
            first: self.first,
            last: self.last,
            made_at: self.made_at_ms,
            digests: self.digests.iter().map(|one| Digest::from_hex(one)).collect::<Option<_>>()?,
            digest: Digest::from_hex(&self.digest)?,
            signer: Identity::from_hex(&self.signer)?,
            signature: IdentitySignature::from_bytes(bytes_from_lower_hex::<64>(&self.signature)?),
        })
    }
}

/// Checks an exported file: `asked.keys` sign it and its links, `asked.head` must be in it. `since` is not used.
pub fn verify(path: &Path, asked: &Asked) -> Result<Verified, ExportError> {
    let io = |source| ExportError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut lines =
        Lines { from: std::io::BufReader::with_capacity(1 << 16, file), hash: Sha256::new(), line: 0 };
    let mut check = Check::default();
    loop {
        let before = lines.hash.clone();
        match lines.next().map_err(|error| error.at(io))? {
            None => return Err(lines.wrong("the file ends without its end line")),
            Some(Line::Header { format, version, .. }) if lines.line == 1 => {
                if format != FORMAT || version != VERSION {
                    return Err(lines.wrong(format!("expected {FORMAT} {VERSION}, found {format} {version}")));
                }
            }
            Some(_) if lines.line == 1 => return Err(lines.wrong("expected the header")),
            Some(Line::Header { .. }) => return Err(lines.wrong("a second header")),
            Some(Line::Row(row)) => {
                check.pending.push(row.entry());
                if check.pending.len() > super::chain::LINK_ROWS_MAX {
                    return Err(lines.wrong("more rows than a link covers"));
                }
            }
            Some(Line::Link(link)) => {
                let link = link.link().ok_or_else(|| lines.wrong("not a link"))?;
                if let Some(fault) = check.link(&link, asked) {
                    return Ok(check.verified(Some(fault)));
                }
            }
            Some(Line::End { rows, links, sha256, signature }) => {
                let found: [u8; 32] = before.finalize().into();
                let signature = bytes_from_lower_hex::<64>(&signature).map(IdentitySignature::from_bytes);
                let signed = signature.is_some_and(|signature| {
                    asked.keys.iter().any(|key| key.verifies(&export_digest(&found), &signature))
                });
                if lines.next().map_err(|error| error.at(io))?.is_some() {
                    return Err(lines.wrong("a line after the end"));
                }
                let whole = sha256 == hex::encode(found) && (rows, links) == (check.rows, check.links);
                return Ok(check.end(whole && signed, asked));
            }
        }
    }
}

struct Lines {
    from: std::io::BufReader<std::fs::File>,
    hash: Sha256,
    line: u64,
}

impl Lines {
    /// The next line; `None` at the file's end.
    fn next(&mut self) -> Result<Option<Line>, Unread> {
        let mut bytes = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        self.from.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(Unread::System)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if bytes.pop() != Some(b'\n') {
            return Err(Unread::Content(
                self.wrong(format!("longer than {LINE_BYTES_MAX} bytes, or cut off")),
            ));
        }
        let line =
            serde_json::from_slice(&bytes).map_err(|error| Unread::Content(self.wrong(error.to_string())))?;
        self.hash.update(&bytes);
        self.hash.update(b"\n");
        Ok(Some(line))
    }

    fn wrong(&self, what: impl Into<String>) -> ExportError {
        ExportError::Line { line: self.line, what: what.into() }
    }
}

enum Unread {
    Content(ExportError),
    System(std::io::Error),
}

impl Unread {
    fn at(self, io: impl FnOnce(std::io::Error) -> ExportError) -> ExportError {
        match self {
            Self::Content(error) => error,
            Self::System(source) => io(source),
        }
    }
}

/// How far the check of a file has come.
struct Check {
    pending: Vec<Entry>,
    last: i64,
    digest: Digest,
    made_at: UnixMillis,
    rows: i64,
    links: i64,
    head_seen: bool,
}

impl Default for Check {
    fn default() -> Self {
        let (pending, digest) = (Vec::new(), Digest::ZERO);
        Self { pending, last: 0, digest, made_at: 0, rows: 0, links: 0, head_seen: false }
    }
}

impl Check {
    fn link(&mut self, link: &Link, asked: &Asked) -> Option<Fault> {
        let rows = std::mem::take(&mut self.pending);
        let expected = self.last.saturating_add(1);
        if link.first != expected {
            let there = rows.first().is_some_and(|row| row.number == expected);
            let wrong = if there { Wrong::LinkMissing } else { Wrong::Missing };
            return Some(Fault::new(expected, wrong, format!("the next link begins at {}", link.first)));
        }
        if !link.follows(&self.digest) {
            return Some(Fault::new(link.first, Wrong::LinkAltered, "the link is not what its fields make"));
        }
        if !link.is_signed_by(&asked.keys) {
            let why = format!("the link is not signed by this coordinator (it names {})", link.signer);
            return Some(Fault::new(link.first, Wrong::NotSigned, why));
        }
        if let Some(fault) = compare(&rows, link) {
            return Some(fault);
        }
        self.rows = self.rows.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        self.links += 1;
        self.head_seen |= asked.head == Some(link.digest);
        (self.last, self.digest, self.made_at) = (link.last, link.digest, link.made_at);
        None
    }

    fn end(&self, whole: bool, asked: &Asked) -> Verified {
        let next = self.last.saturating_add(1);
        let fault = if !self.pending.is_empty() {
            Some(Fault::new(next, Wrong::LinkMissing, "no link covers the last rows"))
        } else if !whole {
            Some(Fault::new(next, Wrong::NotSigned, "the end of the file does not sign what is before it"))
        } else if asked.head.is_some() && !self.head_seen {
            Some(Fault::new(next, Wrong::HeadUnknown, "the file does not contain the head that was noted"))
        } else {
            None
        };
        self.verified(fault)
    }

    fn verified(&self, fault: Option<Fault>) -> Verified {
        Verified {
            sound: fault.is_none(),
            rows: self.rows,
            links: self.links,
            unlinked: 0,
            number: self.last,
            head: self.digest.to_string(),
            signed_at_ms: self.made_at,
            fault,
        }
    }
}

/// The first row that is not the chained one; rows are looked for among those of the same link.
fn compare(rows: &[Entry], link: &Link) -> Option<Fault> {
    let digests: Vec<Digest> = rows.iter().map(Entry::digest).collect();
    for (place, (number, expected)) in (link.first..).zip(&link.digests).enumerate() {
        let Some(row) = rows.get(place).filter(|row| row.number == number) else {
            return Some(Fault::new(number, Wrong::Missing, "the row is gone"));
        };
        let found = digests[place];
        if found != *expected {
            let from = (link.first..).zip(&link.digests).find(|(_, one)| **one == found);
            let to = rows.iter().zip(&digests).find(|(_, one)| *one == expected);
            let (from, to) = (from.map(|(number, _)| number), to.map(|(row, _)| row.number));
            return Some(Fault::of_row(row.number, from, to));
        }
    }
    let over = rows.get(link.digests.len())?;
    Some(Fault::new(over.number, Wrong::Inserted, "a row that no link covers"))
}
