//! Pages of lists: how many rows, from where on, and what leads to the page behind.
//!
//! A list's query has `limit: Limit` and `before: Option<Cursor>`, both with `#[serde(default)]`; its store function asks for
//! one row more than the limit, and [`cut`] makes page and `next` of them. Lists are in the order of (moment, id), newest first. What must stay true:
//! a page is never longer than 500; a cursor is opaque to callers, bounded, has one spelling, and stays good while rows
//! are added.

use crate::clock::UnixMillis;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Rows of a page where nothing else is asked for.
pub const LIMIT_DEFAULT: u16 = 100;
/// The most rows that may be asked for; more is refused, not cut.
pub const LIMIT_MAX: u16 = 500;
/// The longest cursor that is looked at, in bytes.
const CURSOR_BYTES_MAX: usize = 96;

/// How many rows a page has: 1 to 500, by default 100.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ToSchema)]
#[schema(value_type = u16, minimum = 1, maximum = 500, default = 100)]
pub struct Limit(u16);

impl Limit {
    /// One row more than the page: whether it is there says whether there is a next page.
    pub const fn and_one(self) -> i64 {
        self.0 as i64 + 1
    }

    const fn rows(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let rows = u16::deserialize(from)?;
        let known = (1..=LIMIT_MAX).contains(&rows);
        if known { Ok(Self(rows)) } else { Err(D::Error::custom("1 to 500")) }
    }
}

/// The last row of a page: its moment and its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(UnixMillis, String);

impl Cursor {
    /// Reads what [`cut`] wrote; anything else is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.').filter(|_| text.len() <= CURSOR_BYTES_MAX)?;
        let plain = !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(&c));
        let at = i64::from_str_radix(at, 16).ok().filter(|at| *at > 0)?;
        let cursor = Self(at, id.to_owned());
        Some(cursor).filter(|cursor| plain && cursor.to_string() == text)
    }

    /// As the two values that a store function compares (made_at, id) with.
    pub fn key(&self) -> (UnixMillis, &str) {
        (self.0, &self.1)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.0, self.1)
    }
}

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        // Narrower than what is read: a moment beyond 15 digits is far away.
        let pattern = "^[1-9a-f][0-9a-f]{0,14}\\.[0-9A-Za-z_:-]{1,64}$";
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
        text.max_length(Some(CURSOR_BYTES_MAX)).into()
    }
}

impl ToSchema for Cursor {}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected a page's next"))
    }
}

/// Cuts what a store function found for `limit.and_one()` rows to the page, and answers what leads to the one behind it.
pub fn cut<T>(rows: &mut Vec<T>, limit: Limit, place: impl Fn(&T) -> (UnixMillis, &str)) -> Option<Cursor> {
    if rows.len() <= limit.rows() {
        return None;
    }
    rows.truncate(limit.rows());
    let (at, id) = place(rows.last()?);
    Some(Cursor(at, id.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn a_limit_is_one_to_five_hundred() {
        for (text, rows) in
            [("1", Some(1)), ("500", Some(500)), ("0", None), ("501", None), ("-1", None), ("1.5", None)]
        {
            assert_eq!(serde_json::from_str::<Limit>(text).ok().map(Limit::rows), rows, "{text}");
        }
        assert_eq!(Limit::default().and_one(), 101);
    }

    #[test]
    fn a_cursor_has_one_spelling() {
        let cursor = Cursor(1_767_225_600_000, "277ec5e5".to_owned());
        let text = cursor.to_string();
        assert_eq!(Cursor::parse(&text), Some(cursor));
        for other in [
            "",
            ".",
            "1",
            "1.",
            "0.a",
            ".a",
            "+1.a",
            "-1.a",
            "01.a",
            "A.a",
            "g.a",
            "1.a b",
            "1.a\0",
            "1.a'",
            "ffffffffffffffff.a",
        ] {
            assert_eq!(Cursor::parse(other), None, "{other:?}");
        }
        assert_eq!(Cursor::parse(&format!("1.{}", "a".repeat(CURSOR_BYTES_MAX))), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_cursor_panic(text in any::<String>()) {
            if let Some(cursor) = Cursor::parse(&text) {
                assert_eq!(cursor.to_string(), text);
            }
        }
    }

    #[test]
    fn a_full_page_says_what_leads_on_only_if_there_is_more() {
        let limit: Limit = serde_json::from_str("2").unwrap();
        fn place<'a>(row: &'a (i64, &'static str)) -> (i64, &'a str) {
            (row.0, row.1)
        }
        let mut rows = vec![(3, "c"), (2, "b")];
        assert_eq!(cut(&mut rows, limit, place), None);
        let mut rows = vec![(3, "c"), (2, "b"), (1, "a")];
        assert_eq!(cut(&mut rows, limit, place).unwrap().to_string(), "2.b");
        assert_eq!(rows.len(), 2);
    }
}
