//! Lists, a part at a time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::store::Listed;

/// How many items a part has at most, and by default.
const LIMIT_MAX: u32 = 1_000;
const LIMIT: u32 = 100;

/// Which part of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The `next` of the part before; without it, the list from its beginning.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl Part {
    /// How many.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(LIMIT) {
            limit @ 1..=LIMIT_MAX => usize::try_from(limit).map_err(|_| Problem::busy()),
            _ => Err(Problem::bad_request(format!(
                "limit: from 1 to {LIMIT_MAX}"
            ))),
        }
    }

    /// From behind what, in a list by numbers.
    pub fn after_number(&self) -> Result<i64, Problem> {
        let number = self.cursor.as_deref().map_or(Ok(0), str::parse);
        number.map_err(|_| Problem::bad_request("cursor: none of this list"))
    }

    /// From behind what, in a list by user IDs.
    pub fn after_id(&self) -> &str {
        self.cursor.as_deref().unwrap_or_default()
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
