use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use service_runtime::http_client::{self, Timeouts};

/// The platform's API as a LIMS uses it.
pub(super) struct Api {
    http: Client,
    pub(super) base: String,
}

/// What a lab is given once.
#[derive(Deserialize)]
pub(super) struct Registered {
    pub(super) lab_id: String,
    pub(super) api_key: SecretString,
    pub(super) callback_secret: SecretString,
}

/// A report as the LIMS has it.
pub(super) struct Report {
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) filename: String,
    pub(super) pdf: Bytes,
    pub(super) idempotency_key: String,
    /// As a form with a file, rather than as JSON with base64.
    pub(super) as_form: bool,
}

/// What the API says to a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted { message_id: String, replayed: bool },
    Refused { status: u16, code: String },
}

/// A message in a lab's history.
#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) message_id: String,
    pub(super) status: String,
    pub(super) error: Option<Failure>,
    pub(super) sent_at: Option<DateTime<Utc>>,
    pub(super) delivered_at: Option<DateTime<Utc>>,
    pub(super) read_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) provider_code: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct History {
    pub(super) messages: Vec<Row>,
    pub(super) total_count: usize,
}

/// A message's fate, and why it waits if it does.
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) created_at: DateTime<Utc>,
    pub(super) waiting: Option<Waiting>,
    pub(super) timeline: Vec<Entry>,
}

#[derive(Deserialize)]
pub(super) struct Waiting {
    pub(super) reason: String,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    pub(super) kind: String,
    pub(super) detail: Map<String, Value>,
}

#[derive(Deserialize)]
struct Accepted {
    message_id: String,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl Api {
    pub(super) fn new(base: String) -> anyhow::Result<Self> {
        let timeouts = Timeouts {
            total: Duration::from_secs(20),
            ..Timeouts::default()
        };
        let http = http_client::new(timeouts, "Demo-LIMS/1.0").build()?;
        Ok(Self { http, base })
    }

    pub(super) async fn register(
        &self,
        vendor_key: &SecretString,
        body: &Value,
    ) -> anyhow::Result<Registered> {
        let request = self.http.post(self.url("/api/labs/register"));
        read(request.bearer_auth(vendor_key.expose_secret()).json(body)).await
    }

    pub(super) async fn send(&self, key: &SecretString, report: &Report) -> anyhow::Result<Answer> {
        let request = self
            .http
            .post(self.url("/api/messages/send-report"))
            .bearer_auth(key.expose_secret())
            .header("Idempotency-Key", &report.idempotency_key);
        let response = report.fill(request)?.send().await?;
        let status = response.status();
        let replayed = response.headers().contains_key("Idempotency-Replayed");
        if status.is_client_error() {
            let Problem { code } = response.json().await?;
            return Ok(Answer::Refused {
                status: status.as_u16(),
                code,
            });
        }
        let Accepted { message_id } = expect(response).await?;
        Ok(Answer::Accepted {
            message_id,
            replayed,
        })
    }

    pub(super) async fn history(&self, lab: &str, key: &SecretString) -> anyhow::Result<History> {
        let url = self.url(&format!("/api/messages/{lab}/history?limit=200"));
        read(self.http.get(url).bearer_auth(key.expose_secret())).await
    }

    pub(super) async fn status(&self, key: &SecretString, message: &str) -> anyhow::Result<Status> {
        let url = self.url(&format!("/api/messages/{message}/status"));
        read(self.http.get(url).bearer_auth(key.expose_secret())).await
    }

    pub(super) async fn replace_token(
        &self,
        lab: &str,
        key: &SecretString,
        token: &SecretString,
    ) -> anyhow::Result<()> {
        let url = self.url(&format!("/api/labs/{lab}/credential"));
        let body = json!({ "access_token": token.expose_secret() });
        let request = self.http.put(url).bearer_auth(key.expose_secret());
        let response = request.json(&body).send().await?;
        if response.status() != StatusCode::NO_CONTENT {
            bail!("a new token was answered with {}", response.status());
        }
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Report {
    fn fill(&self, request: RequestBuilder) -> anyhow::Result<RequestBuilder> {
        if self.as_form {
            let part = Part::stream(self.pdf.clone())
                .file_name(self.filename.clone())
                .mime_str("application/pdf")?;
            let fields = self.fields.iter();
            let form = fields.fold(Form::new(), |form, (name, value)| {
                form.text(*name, value.clone())
            });
            return Ok(request.multipart(form.part("report_file", part)));
        }
        let mut body: Map<String, Value> = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        body.insert("report_file".to_owned(), STANDARD.encode(&self.pdf).into());
        body.insert("report_filename".to_owned(), self.filename.clone().into());
        Ok(request.json(&body))
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> anyhow::Result<T> {
    expect(request.send().await?).await
}

async fn expect<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let (status, path) = (response.status(), response.url().path().to_owned());
    let body = response.bytes().await?;
    if !status.is_success() {
        let said = String::from_utf8_lossy(&body);
        bail!("{path} was answered with {status}: {said}");
    }
    serde_json::from_slice(&body).with_context(|| format!("the answer of {path}"))
}
