//! Views: rows that are kept beside the log so that a list needs no fold. They change in the same
//! transaction as the facts they come from, and can always be made again from those.

use serde_json::Value;

/// A new content for one row of a view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewUpdate {
    /// Which view, such as `deployments`.
    pub view: String,
    /// Which row. The row is made when it does not exist and replaced when it does.
    pub key: String,
    /// What lists are ordered by, the highest first; often a moment in milliseconds or a number.
    pub rank: i64,
    /// The content.
    pub body: Value,
}

/// One row of a view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRow {
    /// Which row.
    pub key: String,
    /// What the list is ordered by.
    pub rank: i64,
    /// The content.
    pub body: Value,
}

/// Which rows of a view are wanted. They come with the highest rank first, and among equal ranks
/// with the highest key first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewQuery {
    /// Only rows with a lower rank than this.
    pub before: Option<i64>,
    /// Together with `before`: also rows of exactly that rank whose key is lower than this, so that a
    /// page may end between rows of the same rank.
    pub before_key: Option<String>,
    /// Only rows whose key begins with this; empty for all.
    pub prefix: String,
    /// At most so many rows.
    pub limit: usize,
}

impl ViewQuery {
    /// The newest `limit` rows.
    pub fn newest(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The same list, continued behind `row`.
    pub fn behind(self, row: &ViewRow) -> Self {
        Self { before: Some(row.rank), before_key: Some(row.key.clone()), ..self }
    }
}
