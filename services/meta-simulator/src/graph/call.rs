use std::{collections::HashMap, sync::Arc};

use axum::{
    body::{Bytes, to_bytes},
    extract::{Query, Request},
    http::{
        HeaderMap, Method,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use serde_json::{Map, Value};

use super::NEWEST;
use crate::{
    engine::Engine,
    errors::GraphError,
    world::{Access, BadToken, NumberRecord, World},
};

/// Bodies of calls that carry no file.
const LARGEST_JSON: usize = 1024 * 1024;

/// One call of the Graph API, without its body.
pub(crate) struct Call {
    pub(crate) engine: Arc<Engine>,
    pub(crate) method: Method,
    pub(crate) version: String,
    pub(crate) path: Vec<String>,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
}

impl Call {
    pub(super) fn new(engine: Arc<Engine>, request: &Request) -> Self {
        let mut path: Vec<String> = request
            .uri()
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(String::from)
            .collect();
        let versioned = path.first().is_some_and(|first| is_version(first));
        let version = if versioned {
            path.remove(0)
        } else {
            NEWEST.to_owned()
        };
        let query = Query::try_from_uri(request.uri())
            .map(|Query(query)| query)
            .unwrap_or_default();
        let headers = request.headers().clone();
        Self {
            engine,
            method: request.method().clone(),
            version,
            path,
            query,
            headers,
        }
    }

    /// The fields asked for, or those that are given when none are.
    pub(super) fn fields<'a>(&'a self, default: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.query.get("fields").map_or(default, String::as_str);
        fields
            .split(',')
            .map(str::trim)
            .filter(|field| !field.is_empty())
    }

    /// A query parameter, or `Bearer` or `OAuth` in the header.
    pub(super) fn token(&self) -> Option<&str> {
        let header = self
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = header.and_then(|value| {
            value
                .strip_prefix("Bearer ")
                .or(value.strip_prefix("OAuth "))
        });
        let parameter = self.query.get("access_token").map(String::as_str);
        parameter.or(bearer).filter(|token| !token.is_empty())
    }

    pub(super) fn access(&self, world: &World) -> Result<Access, GraphError> {
        let token = self.token().ok_or_else(GraphError::no_token)?;
        world
            .accounts
            .access(token, self.engine.now())
            .map_err(|bad| match bad {
                BadToken::Unknown => GraphError::bad_token(),
                BadToken::Expired => GraphError::expired_token(),
            })
    }

    /// The number of the path, if the token reaches it with this scope.
    pub(super) fn number(
        &self,
        world: &World,
        id: &str,
        scope: &str,
    ) -> Result<NumberRecord, GraphError> {
        let access = self.access(world)?;
        let number = world
            .accounts
            .number(id)
            .filter(|number| access.reaches(&number.waba_id));
        let number = number.ok_or_else(|| self.unknown(id))?;
        if access.may(scope) {
            Ok(number.clone())
        } else {
            Err(GraphError::new(10))
        }
    }

    /// The account of the path, if the token reaches it with this scope.
    pub(super) fn business(
        &self,
        world: &World,
        id: &str,
        scope: &str,
    ) -> Result<Access, GraphError> {
        let access = self.access(world)?;
        if world.accounts.business(id).is_none() || !access.reaches(id) {
            return Err(self.unknown(id));
        }
        if access.may(scope) {
            Ok(access)
        } else {
            Err(GraphError::new(10))
        }
    }

    pub(super) fn unknown(&self, id: &str) -> GraphError {
        GraphError::unknown_object(self.method.as_str(), id)
    }

    pub(super) fn unknown_path(&self) -> GraphError {
        GraphError::unknown_path(&format!("/{}", self.path.join("/")))
    }

    /// The account whose use the answer reports.
    pub(super) fn waba_of_path(&self) -> Option<String> {
        let id = self.path.first()?;
        let world = self.engine.world();
        let number = world
            .accounts
            .number(id)
            .map(|number| number.waba_id.clone());
        number.or_else(|| {
            world
                .accounts
                .business(id)
                .map(|record| record.business.waba_id.clone())
        })
    }
}

/// The parameters of a call: its body, JSON or a form, and what stands in the query.
pub(super) async fn json_body(request: Request) -> Result<Value, GraphError> {
    let form = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.starts_with("application/x-www-form-urlencoded"))
    });
    let mut parameters = pairs(request.uri().query().unwrap_or_default().as_bytes());
    let bytes = body(request, LARGEST_JSON).await?;
    if form {
        parameters.extend(pairs(&bytes));
    } else if !bytes.is_empty()
        && let Value::Object(fields) = parse(&bytes)?
    {
        parameters.extend(fields);
    }
    Ok(Value::Object(parameters))
}

fn pairs(encoded: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(encoded);
    pairs
        .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
        .collect()
}

pub(super) fn parse(bytes: &[u8]) -> Result<Value, GraphError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| GraphError::invalid("The body of the request is not valid JSON."))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(GraphError::invalid(
            "The body of the request must be a JSON object.",
        ))
    }
}

pub(super) async fn body(request: Request, largest: usize) -> Result<Bytes, GraphError> {
    to_bytes(request.into_body(), largest)
        .await
        .map_err(|_| GraphError::invalid("The body of the request is too large or was cut off."))
}

fn is_version(part: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    part.strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| number(major) && number(minor))
}
