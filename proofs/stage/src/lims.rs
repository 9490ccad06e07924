use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use reqwest::{StatusCode, multipart};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use crate::ledgers::Ledger;

/// A LIMS goes on for so long before somebody there looks into it.
const PATIENCE: Duration = Duration::from_mins(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What must become of a report in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Delivered,
    Failed,
    /// Whatever the provider says.
    Any,
}

/// A report to post.
#[derive(Clone, Debug)]
pub struct Report {
    /// The idempotency key.
    pub key: String,
    /// The lab's place.
    pub lab: usize,
    pub phone: String,
    pub patient: String,
    pub file: Bytes,
    pub expect: Expect,
}

/// One line of the LIMS' ledger: a report that was acknowledged, or that it gave up.
#[derive(Clone, Debug, Serialize)]
pub struct Acknowledged {
    pub key: String,
    pub lab_id: String,
    pub phone: String,
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    pub posted_at: DateTime<Utc>,
    pub acked_at: DateTime<Utc>,
    pub expect: Expect,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gave_up: bool,
}

/// A lab's key to the API.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) lab_id: String,
    pub(crate) api_key: SecretString,
}

/// The systems of all labs: they post, and post again with the same key until they are answered.
#[derive(Clone, Debug)]
pub struct Lims {
    http: reqwest::Client,
    gateways: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    accounts: Arc<[Account]>,
    ledger: Ledger<Acknowledged>,
}

impl Lims {
    pub(crate) fn new(
        http: reqwest::Client,
        gateways: Vec<String>,
        accounts: Vec<Account>,
    ) -> Self {
        Self {
            http,
            gateways: gateways.into(),
            turn: Arc::default(),
            accounts: accounts.into(),
            ledger: Ledger::default(),
        }
    }

    pub fn ledger(&self) -> &Ledger<Acknowledged> {
        &self.ledger
    }

    pub fn lab_id(&self, lab: usize) -> &str {
        self.accounts.get(lab).map_or("", |it| &it.lab_id)
    }

    /// A lab's key to the API, for who posts by other means.
    pub fn api_key(&self, lab: usize) -> Option<&SecretString> {
        Some(&self.accounts.get(lab)?.api_key)
    }

    /// Posts until it is acknowledged; `None` if that never happened. As a form or as JSON, by the report.
    pub async fn post(&self, report: &Report) -> Option<String> {
        let account = self.accounts.get(report.lab)?;
        let posted_at = SystemClock.now();
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let message_id = loop {
            match self.try_post(account, report).await {
                Ok(message_id) => break Some(message_id),
                Err(Refused::Later) if started.elapsed() < PATIENCE => {}
                Err(_) => break None,
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        self.ledger.note(Acknowledged {
            key: report.key.clone(),
            lab_id: account.lab_id.clone(),
            phone: report.phone.clone(),
            sha256: hex::encode(Sha256::digest(&report.file)),
            gave_up: message_id.is_none(),
            message_id: message_id.clone(),
            posted_at,
            acked_at: SystemClock.now(),
            expect: report.expect,
        });
        message_id
    }

    async fn try_post(&self, account: &Account, report: &Report) -> Result<String, Refused> {
        let url = format!("{}/api/messages/send-report", self.gateway());
        let request = self
            .http
            .post(url)
            .bearer_auth(account.api_key.expose_secret())
            .header("idempotency-key", &report.key);
        let request = if report.key.ends_with('1') {
            request.multipart(form(report))
        } else {
            request.json(&body(report))
        };
        let answer = request.send().await.map_err(|_| Refused::Later)?;
        let status = answer.status();
        let answer: Value = answer.json().await.map_err(|_| Refused::Later)?;
        let message_id = answer.get("message_id").and_then(Value::as_str);
        match (status, message_id) {
            (StatusCode::ACCEPTED, Some(id)) => Ok(id.to_owned()),
            (status, _) if is_worth_another_try(status) => Err(Refused::Later),
            _ => Err(Refused::ForGood),
        }
    }

    /// Asks the API something as a lab.
    pub async fn call(
        &self,
        lab: usize,
        (method, path): (reqwest::Method, &str),
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let account = self.accounts.get(lab);
        let account = account.ok_or_else(|| anyhow::anyhow!("there is no lab {lab}"))?;
        let url = format!("{}{path}", self.gateway());
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(account.api_key.expose_secret());
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.json().await.unwrap_or_default()))
    }

    fn gateway(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let place = turn % self.gateways.len().max(1);
        self.gateways.get(place).map_or("", String::as_str)
    }
}

/// Why a post was not acknowledged.
enum Refused {
    Later,
    ForGood,
}

fn is_worth_another_try(status: StatusCode) -> bool {
    status.is_server_error()
        || [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&status)
}

fn body(report: &Report) -> Value {
    json!({
        "patient_phone": report.phone,
        "patient_name": report.patient,
        "test_name": "Complete Blood Count",
        "report_file": STANDARD.encode(&report.file),
        "report_filename": "report.pdf",
    })
}

fn form(report: &Report) -> multipart::Form {
    let file = multipart::Part::bytes(report.file.to_vec()).file_name("report.pdf");
    multipart::Form::new()
        .text("patient_phone", report.phone.clone())
        .text("patient_name", report.patient.clone())
        .text("test_name", "Complete Blood Count")
        .part("report_file", file)
}
