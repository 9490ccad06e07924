//! Callbacks as a careful LIMS reads them: nothing of a body is believed before its Standard Webhooks 1.0 signature is
//! verified.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use crate::{
    ids::{DeliveryId, LabId, MessageId},
    ledgers::{Headers, Lab, Ledgers, Post},
};

/// How far a callback's timestamp may be from its receipt: the tolerance of the specification's libraries.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A callback that can be believed.
pub(crate) struct Callback<'a> {
    pub(crate) at: DateTime<Utc>,
    /// The `webhook-id`: the same each time it is delivered.
    pub(crate) id: &'a str,
    pub(crate) delivery: Option<DeliveryId>,
    pub(crate) body: &'a str,
    pub(crate) r#type: String,
    pub(crate) lab_id: LabId,
    /// Absent: it is about what a patient wrote.
    pub(crate) message_id: Option<MessageId>,
    pub(crate) state: Option<String>,
}

/// A callback that cannot be believed, and why.
pub(crate) struct Forged<'a> {
    pub(crate) id: &'a str,
    pub(crate) why: &'static str,
}

#[derive(Deserialize)]
struct Body {
    r#type: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    lab_id: LabId,
    message_id: Option<MessageId>,
    state: Option<String>,
}

type Signer = Hmac<Sha256>;

/// Verifies every callback with the secret of the lab that it is for.
pub(crate) fn verify(ledgers: &Ledgers) -> (Vec<Callback<'_>>, Vec<Forged<'_>>) {
    let labs = ledgers.run.labs.iter();
    let signers: HashMap<LabId, Option<Signer>> = labs
        .map(
            |Lab {
                 lab_id,
                 callback_secret,
                 ..
             }| (*lab_id, signer(callback_secret)),
        )
        .collect();
    let (mut believed, mut forged) = (Vec::with_capacity(ledgers.callbacks.len()), Vec::new());
    for post in &ledgers.callbacks {
        match believe(post, &signers) {
            Ok(callback) => believed.push(callback),
            Err(why) => forged.push(Forged {
                id: &post.headers.webhook_id,
                why,
            }),
        }
    }
    (believed, forged)
}

fn signer(secret: &SecretString) -> Option<Signer> {
    let encoded = secret.expose_secret().strip_prefix("whsec_")?;
    Signer::new_from_slice(&STANDARD.decode(encoded).ok()?).ok()
}

fn believe<'a>(
    post: &'a Post,
    signers: &HashMap<LabId, Option<Signer>>,
) -> Result<Callback<'a>, &'static str> {
    let Ok(Body { r#type, data }) = serde_json::from_str(&post.body) else {
        return Err("its body is not a callback's");
    };
    let signer = signers
        .get(&data.lab_id)
        .ok_or("it is for a lab that does not take part")?;
    let signer = signer
        .as_ref()
        .ok_or("the lab's secret is not `whsec_` and base64")?;
    if !is_signed(signer, &post.headers, &post.body) {
        return Err("its signature is not the lab's");
    }
    if !is_timely(&post.headers, post.at) {
        return Err("its timestamp is more than 5 minutes from when it came");
    }
    Ok(Callback {
        at: post.at,
        id: &post.headers.webhook_id,
        delivery: post.headers.webhook_id.parse().ok(),
        body: &post.body,
        r#type,
        lab_id: data.lab_id,
        message_id: data.message_id,
        state: data.state,
    })
}

/// The header lists signatures by version, so that secrets can be rotated; one of them must be right.
fn is_signed(signer: &Signer, headers: &Headers, body: &str) -> bool {
    let mut mac = signer.clone();
    for part in [
        &headers.webhook_id,
        ".",
        &headers.webhook_timestamp,
        ".",
        body,
    ] {
        mac.update(part.as_bytes());
    }
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    headers
        .webhook_signature
        .split(' ')
        .filter_map(|listed| listed.strip_prefix("v1,"))
        .any(|listed| listed == signature)
}

fn is_timely(headers: &Headers, came_at: DateTime<Utc>) -> bool {
    let seconds = headers.webhook_timestamp.parse().ok();
    let signed_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    signed_at.is_some_and(|at| (came_at - at).abs() <= TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_signed_with(secret: &str, headers: &Headers, body: &str) -> bool {
        signer(&SecretString::from(secret)).is_some_and(|signer| is_signed(&signer, headers, body))
    }

    /// The vector of the Standard Webhooks libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &str = r#"{"test": 2432232314}"#;

    fn headers(signature: &str) -> Headers {
        Headers {
            webhook_id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            webhook_timestamp: "1614265330".to_owned(),
            webhook_signature: signature.to_owned(),
        }
    }

    #[test]
    fn the_published_vector_is_verified() {
        assert!(is_signed_with(SECRET, &headers(SIGNATURE), BODY));
    }

    #[test]
    fn one_right_signature_of_several_is_enough() {
        let several = headers(&format!("v1a,AAAA v1,AAAA {SIGNATURE}"));
        assert!(is_signed_with(SECRET, &several, BODY));
    }

    #[test]
    fn whatever_is_changed_the_signature_is_wrong() {
        let right = headers(SIGNATURE);
        let other_id = Headers {
            webhook_id: "msg_other".to_owned(),
            ..right.clone()
        };
        let other_time = Headers {
            webhook_timestamp: "1614265331".to_owned(),
            ..right.clone()
        };
        assert!(!is_signed_with(SECRET, &other_id, BODY));
        assert!(!is_signed_with(SECRET, &other_time, BODY));
        assert!(!is_signed_with(SECRET, &right, "{}"));
        assert!(!is_signed_with("whsec_AAEC", &right, BODY));
        assert!(!is_signed_with(
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            &right,
            BODY
        ));
        for wrong in ["", "v1,", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="] {
            assert!(!is_signed_with(SECRET, &headers(wrong), BODY), "{wrong}");
        }
    }

    #[test]
    fn a_callback_is_timely_within_five_minutes_of_its_timestamp() {
        let signed_at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let is_timely_after =
            |seconds| is_timely(&headers(""), signed_at + TimeDelta::seconds(seconds));
        assert!(is_timely_after(300) && is_timely_after(-300));
        assert!(!is_timely_after(301) && !is_timely_after(-301));
    }
}
