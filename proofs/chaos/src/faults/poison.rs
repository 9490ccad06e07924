use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use domain::{Clock as _, SystemClock};
use fastrand::Rng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use serde_json::json;
use sha2::Sha256;
use stage::{Expect, Report};
use tokio::time::sleep;

use crate::world::{POISON_EVENT, POISON_FILE, World};

/// What no handler can digest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Poison {
    Event,
    File,
}

/// How long the bounded number of tries takes.
const TRIES: Duration = Duration::from_mins(2);

impl Poison {
    pub(super) const ALL: [(&'static str, Self); 2] = [
        ("an event is poison", Self::Event),
        ("a file is poison", Self::File),
    ];

    pub(super) async fn inject(self, world: &Arc<World>, rng: &mut Rng) -> anyhow::Result<()> {
        world.expect_effects_for(TRIES / 4).await;
        match self {
            Self::Event => post_event(world, rng).await?,
            Self::File => post_file(world, rng).await?,
        }
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

/// A patient writes it; the webhook is the provider's own.
async fn post_event(world: &World, rng: &mut Rng) -> anyhow::Result<()> {
    let lab = rng.choice(&world.platform.labs).context("there are labs")?;
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": lab.waba_id(), "changes": [{ "field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "0", "phone_number_id": lab.phone_number_id() },
            "messages": [{
                "from": "919876500000", "id": format!("wamid.{}", rng.u64(..)), "type": "text",
                "timestamp": SystemClock.now().timestamp().to_string(), "text": { "body": POISON_EVENT },
            }],
        }}]}],
    })
    .to_string();
    let secret = world.platform.provider.app_secret().expose_secret();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let http = reqwest::Client::builder().build()?;
    for _ in 0..60 {
        let request = http
            .post(world.platform.webhook_url())
            .header("x-hub-signature-256", &signature)
            .body(body.clone());
        let answer = request.send().await;
        if answer.is_ok_and(|answer| answer.status().as_u16() == 200) {
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("the poisonous event was never taken")
}

async fn post_file(world: &Arc<World>, rng: &mut Rng) -> anyhow::Result<()> {
    let number = rng.u32(..);
    let report = Report {
        key: format!("poison-{number}"),
        lab: rng.usize(..world.platform.labs.len()),
        phone: format!("+9197{:08}", number % 100_000_000),
        patient: crate::traffic::patient("poison"),
        file: Bytes::from(format!("%PDF-1.7\n% {POISON_FILE} {number}\n%%EOF\n")),
        expect: Expect::Failed,
    };
    let accepted = world.platform.lims.post(&report).await;
    ensure!(accepted.is_some(), "the poisonous file was not accepted");
    Ok(())
}
