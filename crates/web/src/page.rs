use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Problem, ValidQuery};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// One page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// From rows of which one more than `limit` was asked for: that one tells whether there is a next page.
    pub fn from_rows<K: Serialize>(
        mut rows: Vec<T>,
        limit: usize,
        key: impl FnOnce(&T) -> K,
    ) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|row| encode_cursor(&key(row)));
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// The same page of something else, such as rows as they are shown.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        let items = self.items.into_iter().map(convert).collect();
        Page {
            items,
            next_cursor: self.next_cursor,
        }
    }
}

/// `?limit=` (1 to 200, 50 if absent) and `?cursor=`. `K` is the key that the list is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<K> {
    pub limit: usize,
    pub after: Option<K>,
}

#[derive(Deserialize)]
struct Parameters {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl<K: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for PageRequest<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ValidQuery(Parameters { limit, cursor }) =
            ValidQuery::from_request_parts(parts, state).await?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let after = cursor.as_deref().map(decode_cursor).transpose()?;
        Ok(Self { limit, after })
    }
}

/// A cursor is opaque to clients. It is not a secret: it holds nothing but the key of a row that they have seen.
pub fn encode_cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a key is made of JSON values"))
}

/// The key of a cursor, or the problem that it is none of ours.
pub fn decode_cursor<K: DeserializeOwned>(cursor: &str) -> Result<K, Problem> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok();
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "INVALID_CURSOR",
                "The cursor is not one of ours",
            )
        })
}
