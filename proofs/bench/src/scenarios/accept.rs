use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;
use serde_json::json;
use stage::{Platform, Service};

use crate::{
    client::post,
    load::{Answered, Load, drive},
};

/// Makes posts that all differ, for all labs in turn, to patients who do not get two within a run.
#[derive(Clone)]
pub(crate) struct Posts {
    keys: Arc<[String]>,
    made: Arc<AtomicU64>,
}

impl Posts {
    pub(crate) fn new(platform: &Platform) -> anyhow::Result<Self> {
        let key = |lab: usize| platform.lims.api_key(lab).context("a lab without a key");
        let keys: Vec<String> = (0..platform.labs.len())
            .map(|lab| Ok(format!("Bearer {}", key(lab)?.expose_secret())))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            keys: keys.into(),
            made: Arc::default(),
        })
    }

    /// The same for the first so many labs only; no key or phone comes twice.
    pub(crate) fn of(&self, labs: usize) -> Self {
        Self {
            keys: self.keys.iter().take(labs).cloned().collect(),
            made: Arc::clone(&self.made),
        }
    }

    pub(crate) fn next(&self, content: &Content) -> Vec<u8> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let lab = usize::try_from(number).unwrap_or(0) % self.keys.len().max(1);
        let phone = format!("+9198{:08}", number % 100_000_000);
        let (patient, test) = ("Asha Rao", "Complete Blood Count");
        let body = match content {
            Content::Text => json!({
                "patient_phone": phone, "patient_name": patient, "test_name": test,
                "message": "Dear {{patient_name}}, your {{test_name}} report is ready at our desk.",
            }),
            Content::File(file) => json!({
                "patient_phone": phone, "patient_name": patient, "test_name": test,
                "report_file": file, "report_filename": "report.pdf",
            }),
        };
        let key = format!("bench-{number}");
        let authorization = self.keys.get(lab).map_or("", String::as_str);
        let headers = [("authorization", authorization), ("idempotency-key", &key)];
        post(
            "/api/messages/send-report",
            &headers,
            body.to_string().as_bytes(),
        )
    }
}

/// What a report consists of.
#[derive(Clone)]
pub(crate) enum Content {
    Text,
    /// As base64.
    File(String),
}

impl Content {
    /// A PDF of this size; what is inside does not matter to those who carry it.
    pub(crate) fn pdf(bytes: usize) -> Self {
        let mut file = b"%PDF-1.7\n% a report\n".to_vec();
        file.resize(bytes.max(40), b'x');
        file.extend_from_slice(b"\n%%EOF\n");
        Self::File(STANDARD.encode(file))
    }
}

/// Reports that are accepted in a second.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    (content, load): (Content, Load),
) -> anyhow::Result<Answered> {
    let address = platform.address(Service::ApiGateway)?;
    let posts = posts.clone();
    let load = Load {
        expected: 202,
        ..load
    };
    drive(address, load, move |_| posts.next(&content)).await
}
