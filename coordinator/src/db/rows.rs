//! Many rows as the parameters of one statement, in the form that each database takes fastest.
//!
//! Called by the ledger's sets. A statement names the rows as `{rows}`, a table expression with the alias `v`
//! and the columns it was made with. SQLite gets them as `values` lists of a few fixed lengths, so that prepared
//! statements are found again; PostgreSQL gets one array per column, written as text because sqlx's `Any` binds no
//! arrays. Both were measured against the other forms (`docs/decisions/0002`). What must stay true: a column's
//! name is a constant of the program; values are always bound, never part of the statement's text.

use super::{Db, Dialect};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, AssertSqlSafe, FromRow};
use std::fmt::Write as _;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `bigint`.
    Int,
    /// `text`, may be null.
    Text,
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    /// Into a [`Kind::Int`] column.
    Int(i64),
    /// Into a [`Kind::Text`] column.
    Text(&'a str),
    /// Into a [`Kind::Text`] column: nothing.
    Null,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// Lengths of SQLite's `values` lists; the last list of a set is filled up with rows of nulls, which are left out.
/// The longest stays far below the 32,766 parameters that SQLite takes with any number of columns used here.
const LENGTHS: [usize; 5] = [1, 4, 16, 64, 256];

/// Rows being gathered for one statement. The first column is never null.
pub(crate) struct Rows {
    columns: &'static [(&'static str, Kind)],
    count: usize,
    values: Values,
}

enum Values {
    /// Row after row.
    Cells(Vec<Owned>),
    /// One array literal per column, without its closing brace.
    Arrays(Vec<String>),
}

enum Owned {
    Int(i64),
    Text(Option<String>),
}

impl Rows {
    /// No rows yet.
    pub(crate) fn new(dialect: Dialect, columns: &'static [(&'static str, Kind)]) -> Self {
        let values = match dialect {
            Dialect::Sqlite => Values::Cells(Vec::new()),
            Dialect::Postgres => Values::Arrays(vec!["{".to_owned(); columns.len()]),
        };
        Self { columns, count: 0, values }
    }

    /// How many rows there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Adds a row: one cell per column, in their order.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        match &mut self.values {
            Values::Cells(values) => values.extend(cells.iter().map(|cell| match cell {
                Cell::Int(number) => Owned::Int(*number),
                Cell::Text(text) => Owned::Text(Some((*text).to_owned())),
                Cell::Null => Owned::Text(None),
            })),
            Values::Arrays(arrays) => {
                for (array, cell) in arrays.iter_mut().zip(cells) {
                    if self.count > 0 {
                        array.push(',');
                    }
                    match cell {
                        // Writing to a string cannot fail.
                        Cell::Int(number) => drop(write!(array, "{number}")),
                        Cell::Text(text) => push_quoted(array, text),
                        Cell::Null => array.push_str("null"),
                    }
                }
            }
        }
        self.count += 1;
    }

    /// Runs `sql` over all rows; how many rows it changed.
    pub(crate) async fn execute(self, db: &mut Db, sql: &'static str) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        for (text, arguments) in self.statements(sql)? {
            changed +=
                sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *db).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Runs `sql` over all rows and reads what it answers.
    pub(crate) async fn fetch<T>(self, db: &mut Db, sql: &'static str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let mut answers = Vec::with_capacity(self.count);
        for (text, arguments) in self.statements(sql)? {
            let query = sqlx::query_as_with::<Any, T, _>(AssertSqlSafe(text), arguments);
            answers.extend(query.fetch_all(&mut *db).await?);
        }
        Ok(answers)
    }

    fn statements(self, sql: &'static str) -> Result<Vec<(String, AnyArguments)>, sqlx::Error> {
        match self.values {
            _ if self.count == 0 => Ok(Vec::new()),
            Values::Arrays(arrays) => {
                let text = sql.replace("{rows}", &unnest(self.columns));
                Ok(vec![(text, bound(arrays.into_iter().map(|array| Owned::Text(Some(array + "}"))))?)])
            }
            Values::Cells(values) => chunks(sql, self.columns, self.count, values),
        }
    }
}

fn chunks(
    sql: &'static str,
    columns: &[(&'static str, Kind)],
    mut left: usize,
    values: Vec<Owned>,
) -> Result<Vec<(String, AnyArguments)>, sqlx::Error> {
    let mut values = values.into_iter();
    let mut statements = Vec::new();
    while left > 0 {
        let length = LENGTHS.into_iter().find(|length| *length >= left).unwrap_or(LENGTHS[LENGTHS.len() - 1]);
        let rows = left.min(length);
        let nothing = (rows..length).flat_map(|_| columns.iter()).map(|_| Owned::Text(None));
        let cells = values.by_ref().take(rows * columns.len()).chain(nothing);
        statements.push((sql.replace("{rows}", &value_lists(columns, length)), bound(cells)?));
        left -= rows;
    }
    Ok(statements)
}

fn bound(values: impl Iterator<Item = Owned>) -> Result<AnyArguments, sqlx::Error> {
    use sqlx::Arguments as _;
    let mut arguments = AnyArguments::default();
    for value in values {
        match value {
            Owned::Int(number) => arguments.add(number),
            Owned::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// `unnest($1::text::bigint[], $2::text::text[]) as v (id, note)`
fn unnest(columns: &[(&'static str, Kind)]) -> String {
    let arrays = columns.iter().enumerate().map(|(place, (_, kind))| {
        let kind = match kind {
            Kind::Int => "bigint",
            Kind::Text => "text",
        };
        format!("${}::text::{kind}[]", place + 1)
    });
    format!("unnest({}) as v ({})", join(arrays), join(columns.iter().map(|(name, _)| (*name).to_owned())))
}

/// `(select column1 as id, column2 as note from (values (?,?),(?,?)) where column1 is not null) as v`
fn value_lists(columns: &[(&'static str, Kind)], length: usize) -> String {
    let names = columns.iter().enumerate().map(|(place, (name, _))| format!("column{} as {name}", place + 1));
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    let list = vec![row.as_str(); length].join(",");
    format!("(select {} from (values {list}) where column1 is not null) as v", join(names))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// An element of PostgreSQL's array literal (https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO).
fn push_quoted(array: &mut String, text: &str) {
    array.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            array.push('\\');
        }
        array.push(c);
    }
    array.push('"');
}
