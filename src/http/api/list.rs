//! Lists, a part at a time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::problem::Problem;
use crate::protocol::UserId;
use crate::store::Listed;

/// How many items a part has at most, and by default.
const LIMIT_MAX: u32 = 1_000;
const LIMIT: u32 = 100;

/// Which part of a list that is in the order of user IDs.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PartById {
    /// The `next` of the part before; without it, the list from its beginning.
    #[param(pattern = "^[A-Za-z0-9_.@-]{1,64}$")]
    cursor: Option<String>,
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl PartById {
    /// From behind which ID, and how many.
    pub fn get(&self) -> Result<(String, usize), Problem> {
        if let Some(cursor) = &self.cursor {
            UserId::parse(cursor).map_err(|_| no_cursor())?;
        }
        let after = self.cursor.clone().unwrap_or_default();
        Ok((after, limit(self.limit)?))
    }
}

/// Which part of a list that is in an order of its own.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The `next` of the part before; without it, the list from its beginning.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl Part {
    /// From behind which number, and how many.
    pub fn get(&self) -> Result<(i64, usize), Problem> {
        let cursor = self.cursor.as_deref().unwrap_or("0");
        let is_number = cursor.len() <= 18 && cursor.bytes().all(|b| b.is_ascii_digit());
        let number = cursor.parse().ok().filter(|_| is_number);
        Ok((number.ok_or_else(no_cursor)?, limit(self.limit)?))
    }
}

fn no_cursor() -> Problem {
    Problem::bad_request("cursor: none of this list")
}

fn limit(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MAX => usize::try_from(limit).map_err(|_| Problem::busy()),
        _ => Err(Problem::bad_request(format!(
            "limit: from 1 to {LIMIT_MAX}"
        ))),
    }
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// The cursor of the next part; it is not there in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

impl<T> Page<T> {
    /// From what the store found.
    pub fn of<S>(listed: Listed<S>, item: impl Fn(S) -> T) -> Self {
        Self {
            items: listed.items.into_iter().map(item).collect(),
            next: listed.next,
        }
    }

    /// A list that is whole.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}
