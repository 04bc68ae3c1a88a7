//! All lanes as one list, newest first: a page of it, or row after row for an export.
//!
//! Called inside one still picture of the database. What must stay true: rows come in descending order of their keys; a page
//! reads a bounded number of rows however few of them match, and then says where to go on.

use super::Transaction;
use super::cursor::{Key, Position};
use super::lanes::{self, Asked, Found, Lane};
use crate::api::ApiError;
use crate::api::page::Limit;
use crate::db::Db;

/// Rows that one page may look at: more than twenty full pages, a fraction of a second.
pub const LOOKED_AT_MAX: usize = 10_000;

/// Rows that a lane reads at once after its first chunk.
const CHUNK: i64 = 500;

/// The merged lanes.
pub struct Merge<'a> {
    asked: Asked<'a>,
    lanes: Vec<Lane>,
    first_chunk: i64,
    started: bool,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// At most as many as asked for.
    pub rows: Vec<Transaction>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

impl<'a> Merge<'a> {
    /// Opens the lanes behind `position`; `wanted` rows are expected to be taken.
    pub async fn open(
        db: &mut Db,
        asked: Asked<'a>,
        position: Option<&Position>,
        wanted: i64,
    ) -> Result<Self, ApiError> {
        let lanes = lanes::open(db, &asked, position).await?;
        Ok(Self { asked, lanes, first_chunk: wanted.clamp(1, CHUNK), started: false })
    }

    /// The next row that matches; looks at no more than `budget` rows, and takes them off it.
    pub async fn next(&mut self, db: &mut Db, budget: &mut usize) -> Result<Next, ApiError> {
        let mut last: Option<Key> = None;
        while *budget > 0 {
            let Some(Found { key, row }) = self.newest(db).await? else { return Ok(Next::End) };
            *budget -= 1;
            match row {
                Some(row) => return Ok(Next::Row(Box::new(row), Position(key))),
                None => last = Some(key),
            }
        }
        Ok(Next::Exhausted(last.map(Position)))
    }

    /// Is there anything left, matching or not?
    async fn has_more(&mut self, db: &mut Db) -> Result<bool, ApiError> {
        Ok(self.newest_lane(db).await?.is_some())
    }

    async fn newest(&mut self, db: &mut Db) -> Result<Option<Found>, ApiError> {
        let Some(place) = self.newest_lane(db).await? else { return Ok(None) };
        Ok(self.lanes.get_mut(place).and_then(Lane::take))
    }

    async fn newest_lane(&mut self, db: &mut Db) -> Result<Option<usize>, ApiError> {
        let chunk = if self.started { CHUNK } else { self.first_chunk };
        let mut newest: Option<(usize, Key)> = None;
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let Some(key) = lane.peek(db, &self.asked, chunk).await? else { continue };
            if newest.as_ref().is_none_or(|(_, greatest)| key > greatest) {
                newest = Some((place, key.clone()));
            }
        }
        self.started = true;
        Ok(newest.map(|(place, _)| place))
    }
}

/// What a step of the merge found.
#[derive(Debug)]
pub enum Next {
    /// A row that matches, and its place.
    Row(Box<Transaction>, Position),
    /// The budget is used up; here one may go on.
    Exhausted(Option<Position>),
    /// There is nothing more.
    End,
}

/// One page behind `position`.
pub async fn page(
    db: &mut Db,
    asked: Asked<'_>,
    position: Option<Position>,
    limit: Limit,
) -> Result<Page, ApiError> {
    // One more than asked for, so that the end is seen without reading on.
    let wanted = limit.and_one();
    let mut merge = Merge::open(db, asked, position.as_ref(), wanted).await?;
    let (mut rows, mut next, mut budget) = (Vec::new(), position, LOOKED_AT_MAX);
    while i64::try_from(rows.len()).is_ok_and(|rows| rows + 1 < wanted) {
        match merge.next(db, &mut budget).await? {
            Next::Row(row, at) => {
                rows.push(*row);
                next = Some(at);
            }
            Next::Exhausted(at) => {
                next = at.or(next);
                break;
            }
            Next::End => return Ok(Page { rows, next: None }),
        }
    }
    let more = merge.has_more(db).await?;
    Ok(Page { rows, next: next.filter(|_| more) })
}
