use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{client::MetaClient, exchange::exchange};
use crate::{SendError, Sender};

const NUMBER_FIELDS: &str = "verified_name,display_phone_number,quality_rating,status,name_status,\
    code_verification_status,platform_type,throughput,whatsapp_business_manager_messaging_limit";
const TEMPLATE_FIELDS: &str = "name,status,category,language,parameter_format,components";

/// What Meta knows of a token.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenInfo {
    pub is_valid: bool,
    #[serde(default)]
    pub app_id: Option<String>,
    /// `None`: never.
    #[serde(default, deserialize_with = "instant")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "instant")]
    pub data_access_expires_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// What Meta says of a number. Texts, because Meta adds values at will.
#[derive(Debug, Clone, Deserialize)]
pub struct NumberInfo {
    pub id: String,
    pub display_phone_number: Option<String>,
    pub verified_name: Option<String>,
    pub quality_rating: Option<String>,
    /// `CONNECTED` when it can send.
    pub status: Option<String>,
    pub name_status: Option<String>,
    pub code_verification_status: Option<String>,
    pub platform_type: Option<String>,
    #[serde(default, deserialize_with = "level")]
    pub throughput: Option<String>,
    #[serde(rename = "whatsapp_business_manager_messaging_limit")]
    pub messaging_limit: Option<String>,
}

/// A template as it is at Meta.
#[derive(Debug, Clone, Deserialize)]
pub struct Template {
    pub id: String,
    pub name: String,
    pub language: String,
    pub status: String,
    pub category: Option<String>,
    /// `NAMED` or `POSITIONAL`.
    pub parameter_format: Option<String>,
    #[serde(default)]
    pub components: Vec<Value>,
}

/// Some of an account's templates, and where the rest begins.
#[derive(Debug, Clone)]
pub struct TemplatePage {
    pub templates: Vec<Template>,
    pub after: Option<String>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Template>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
struct Paging {
    #[serde(default)]
    cursors: Cursors,
    next: Option<String>,
}

#[derive(Default, Deserialize)]
struct Cursors {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Success {
    #[serde(rename = "success", deserialize_with = "yes")]
    _success: (),
}

impl MetaClient {
    /// The token asks about itself.
    pub async fn debug_token(&self, token: &SecretString) -> Result<TokenInfo, SendError> {
        let query = [("input_token", token.expose_secret())];
        let request = self.request(Method::GET, &["debug_token"]).query(&query);
        let answer = exchange::<Data<TokenInfo>>(request, token).await?;
        Ok(answer.value.data)
    }

    pub async fn phone_number(&self, sender: &Sender) -> Result<NumberInfo, SendError> {
        let request = self.request(Method::GET, &[&sender.phone_number_id]);
        let request = request.query(&[("fields", NUMBER_FIELDS)]);
        Ok(exchange(request, &sender.token).await?.value)
    }

    /// At most `limit` templates of the account, from where `after` of the previous page says.
    pub async fn templates(
        &self,
        token: &SecretString,
        waba_id: &str,
        limit: u16,
        after: Option<&str>,
    ) -> Result<TemplatePage, SendError> {
        let request = self
            .request(Method::GET, &[waba_id, "message_templates"])
            .query(&[("fields", TEMPLATE_FIELDS)])
            .query(&[("limit", limit)])
            .query(&[("after", after)]);
        let page = exchange::<Page>(request, token).await?.value;
        Ok(TemplatePage {
            templates: page.data,
            // The last page has a cursor too, but no next page.
            after: page.paging.next.and(page.paging.cursors.after),
        })
    }

    /// Has the account's webhooks delivered to the token's app.
    pub async fn subscribe_app(
        &self,
        token: &SecretString,
        waba_id: &str,
    ) -> Result<(), SendError> {
        let request = self.request(Method::POST, &[waba_id, "subscribed_apps"]);
        exchange::<Success>(request, token).await.map(drop)
    }

    /// Takes an uploaded file away.
    pub async fn delete_media(&self, sender: &Sender, media_id: &str) -> Result<(), SendError> {
        let request = self.request(Method::DELETE, &[media_id]);
        exchange::<Success>(request, &sender.token).await.map(drop)
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(segments))
    }
}

/// Seconds since 1970; 0 is never.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let seconds = Option::<i64>::deserialize(deserializer)?.filter(|seconds| *seconds != 0);
    Ok(seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let throughput = Value::deserialize(deserializer)?;
    let level = throughput.get("level").and_then(Value::as_str);
    Ok(level.map(str::to_owned))
}

fn yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(())
    } else {
        Err(serde::de::Error::custom("no success"))
    }
}
