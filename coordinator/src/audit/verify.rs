//! `audit verify`: every row against its link, every link against the one before and against our key.
//!
//! Called by the command line over one still picture of the database. Ends at the first fault and names it. What must stay
//! true: nothing is trusted but the keys given; rows and links are read in pages, so memory does not grow with the log.

use super::chain::{Entry, Fault, Link, Wrong};
use super::store;
use crate::clock::UnixMillis;
use crate::db::{Database, Db};
use crate::ledger::LedgerError;
use airlock_shared::Digest;
use airlock_shared::identity::Identity;
use serde::Serialize;

/// Links read at once.
const LINKS_PAGE: i64 = 32;
/// Rows read at once in search of one that was moved.
const ROWS_PAGE: i64 = 1000;

/// What is to be checked.
#[derive(Clone, Default, Debug)]
pub struct Asked {
    /// Whose signatures count.
    pub keys: Vec<Identity>,
    /// Begin with the link that holds this row; the signed link before it is believed.
    pub since: Option<i64>,
    /// A head that the auditor noted earlier and that the chain must contain.
    pub head: Option<Digest>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verified {
    /// Is there no fault?
    pub sound: bool,
    /// Rows compared with their links.
    pub rows: i64,
    /// Links checked.
    pub links: i64,
    /// Rows at the end that are not chained yet.
    pub unlinked: i64,
    /// The last row that is chained.
    pub number: i64,
    /// The chain's head there.
    pub head: String,
    /// When the head was signed, Unix milliseconds.
    pub signed_at_ms: UnixMillis,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// Checks the log in one still picture of the database.
pub async fn snapshot(db: &Database, asked: &Asked) -> Result<Verified, LedgerError> {
    let mut db = db.begin_read().await?;
    verify(&mut db, asked).await
}

/// Checks the log.
pub async fn verify(db: &mut Db, asked: &Asked) -> Result<Verified, LedgerError> {
    let mut walk = Walk::default();
    let fault = match walk.begin(db, asked).await? {
        Some(fault) => Some(fault),
        None => walk.through(db, asked).await?,
    };
    let unlinked = store::highest(db).await?.saturating_sub(walk.last).max(0);
    Ok(Verified {
        sound: fault.is_none(),
        rows: walk.rows,
        links: walk.links,
        unlinked,
        number: walk.last,
        head: walk.digest.to_string(),
        signed_at_ms: walk.made_at,
        fault,
    })
}

/// How far the check has come.
struct Walk {
    last: i64,
    digest: Digest,
    made_at: UnixMillis,
    rows: i64,
    links: i64,
    head_seen: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { last: 0, digest: Digest::ZERO, made_at: 0, rows: 0, links: 0, head_seen: false }
    }
}

impl Walk {
    /// Stands on the signed link before the row to begin with.
    async fn begin(&mut self, db: &mut Db, asked: &Asked) -> Result<Option<Fault>, LedgerError> {
        let Some(since) = asked.since else { return Ok(None) };
        match store::link_below(db, since).await? {
            None => Ok(None),
            Some(Ok(link)) if link.is_signed_by(&asked.keys) => {
                if let Some(head) = &asked.head {
                    self.head_seen = store::link_named(db, head).await?.is_some_and(|last| last <= link.last);
                }
                (self.last, self.digest, self.made_at) = (link.last, link.digest, link.made_at);
                Ok(None)
            }
            Some(Ok(link)) => Ok(Some(not_signed(&link))),
            Some(Err(first)) => Ok(Some(unreadable(first))),
        }
    }

    async fn through(&mut self, db: &mut Db, asked: &Asked) -> Result<Option<Fault>, LedgerError> {
        if store::extent(db, self.last).await?.0 < 1 {
            let why = "a row stands before the first";
            return Ok(Some(Fault::new(0, Wrong::Inserted, why)));
        }
        loop {
            let page = store::links_from(db, self.last.saturating_add(1), LINKS_PAGE).await?;
            if page.is_empty() {
                return self.end(db, asked).await;
            }
            for link in page {
                let fault = match link {
                    Ok(link) => self.link(db, &link, asked).await?,
                    Err(first) => Some(unreadable(first)),
                };
                if fault.is_some() {
                    return Ok(fault);
                }
            }
        }
    }

    async fn link(&mut self, db: &mut Db, link: &Link, asked: &Asked) -> Result<Option<Fault>, LedgerError> {
        let expected = self.last.saturating_add(1);
        if link.first != expected {
            let present = store::rows_after(db, self.last, 1).await?;
            let there = present.first().is_some_and(|row| row.number == expected);
            return Ok(Some(if there {
                Fault::new(
                    expected,
                    Wrong::LinkMissing,
                    format!("no link covers it; the next begins at {}", link.first),
                )
            } else {
                Fault::new(expected, Wrong::Missing, "neither the row nor a link over it is there")
            }));
        }
        if !link.follows(&self.digest) {
            let why =
                format!("the link over rows {} to {} is not what its fields make", link.first, link.last);
            return Ok(Some(Fault::new(link.first, Wrong::LinkAltered, why)));
        }
        if !link.is_signed_by(&asked.keys) {
            return Ok(Some(not_signed(link)));
        }
        if let Some(fault) = self.rows(db, link).await? {
            return Ok(Some(fault));
        }
        self.head_seen |= asked.head == Some(link.digest);
        (self.last, self.digest, self.made_at) = (link.last, link.digest, link.made_at);
        self.links += 1;
        Ok(None)
    }

    async fn rows(&mut self, db: &mut Db, link: &Link) -> Result<Option<Fault>, LedgerError> {
        let limit = i64::try_from(link.digests.len()).unwrap_or(i64::MAX);
        let rows = store::rows_after(db, self.last, limit).await?;
        let mut rows = rows.into_iter().peekable();
        for (number, digest) in (link.first..).zip(&link.digests) {
            let Some(row) = rows.next_if(|row| row.number == number) else {
                return Ok(Some(Fault::new(number, Wrong::Missing, "the row is gone")));
            };
            if row.digest() != *digest {
                let from = store::chained_as(db, &row.digest(), number).await?;
                let to = standing_at(db, digest, number).await?;
                return Ok(Some(Fault::of_row(number, from, to)));
            }
            self.rows += 1;
        }
        Ok(None)
    }

    /// Behind the last link: rows that wait for theirs, without a hole, and the head that was asked for.
    async fn end(&self, db: &mut Db, asked: &Asked) -> Result<Option<Fault>, LedgerError> {
        let (_, highest, above) = store::extent(db, self.last).await?;
        if above > 0 && highest.checked_sub(self.last) != Some(above) {
            return Ok(Some(Fault::new(first_hole(db, self.last).await?, Wrong::Missing, "the row is gone")));
        }
        if asked.head.is_some() && !self.head_seen {
            let why = "the chain does not contain the head that was noted: its end was cut off, or it was written anew";
            return Ok(Some(Fault::new(self.last.saturating_add(1), Wrong::HeadUnknown, why)));
        }
        Ok(None)
    }
}

fn not_signed(link: &Link) -> Fault {
    let why = format!(
        "the link over rows {} to {} is not signed by this coordinator (it names {})",
        link.first, link.last, link.signer
    );
    Fault::new(link.first, Wrong::NotSigned, why)
}

fn unreadable(first: i64) -> Fault {
    Fault::new(first, Wrong::LinkAltered, "the link over it cannot be read")
}

/// Under which number above `from` the row of this digest stands now.
async fn standing_at(db: &mut Db, digest: &Digest, from: i64) -> Result<Option<i64>, LedgerError> {
    let mut last = from;
    loop {
        let page = store::rows_after(db, last, ROWS_PAGE).await?;
        let Some(newest) = page.last() else { return Ok(None) };
        last = newest.number;
        if let Some(found) = page.iter().find(|row| row.digest() == *digest) {
            return Ok(Some(found.number));
        }
    }
}

/// The first number above `last` that no row has.
async fn first_hole(db: &mut Db, mut last: i64) -> Result<i64, LedgerError> {
    loop {
        let page: Vec<Entry> = store::rows_after(db, last, ROWS_PAGE).await?;
        if page.is_empty() {
            return Ok(last.saturating_add(1));
        }
        for row in page {
            if row.number != last.saturating_add(1) {
                return Ok(last.saturating_add(1));
            }
            last = row.number;
        }
    }
}
