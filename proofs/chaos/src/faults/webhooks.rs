use std::time::Duration;

use anyhow::ensure;
use chrono::Utc;
use domain::{Clock as _, SystemClock};
use fastrand::Rng;
use meta_simulator::{Effect, Fault};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use super::HOLD;
use crate::world::World;

/// How the provider's webhooks may come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Webhooks {
    Duplicated,
    Reordered,
    /// Up to a thousand in one.
    Batched,
    /// Later than the hold of a send whose answer was not seen.
    PastTheHold,
    BeforeTheAnswer,
    DeliveredAfterFailed,
    /// Somebody who does not know the app's secret tells that messages failed.
    Forged,
    /// The LIMS refuses callbacks.
    CallbacksRefused,
}

/// Labs that it happens to at a time.
const LABS: usize = 6;
const FORGERIES: usize = 40;
const REFUSALS: u32 = 60;

impl Webhooks {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("webhooks come past the hold", Self::PastTheHold),
        ("webhooks come twice", Self::Duplicated),
        ("webhooks come in another order", Self::Reordered),
        ("webhooks come in one batch", Self::Batched),
        ("webhooks come before the answer", Self::BeforeTheAnswer),
        (
            "a delivery comes after a failure",
            Self::DeliveredAfterFailed,
        ),
        ("webhooks are forged", Self::Forged),
        ("the LIMS refuses callbacks", Self::CallbacksRefused),
    ];

    pub(super) async fn inject(self, world: &World, rng: &mut Rng) -> anyhow::Result<()> {
        let effects = match self {
            Self::Duplicated => vec![Effect::Duplicate { copies: 3 }],
            Self::Reordered => vec![Effect::ReorderStatuses],
            Self::Batched => return batch(world).await,
            Self::PastTheHold => vec![Effect::AcceptThenDrop, Effect::DelayWebhooks { ms: 12_000 }],
            Self::BeforeTheAnswer => vec![Effect::StatusBeforeAnswer],
            Self::DeliveredAfterFailed => vec![Effect::DeliveredAfterFailed { code: 131_026 }],
            Self::Forged => return forge(world, rng).await,
            Self::CallbacksRefused => {
                world.platform.callbacks.refuse(REFUSALS);
                sleep(HOLD).await;
                world.platform.callbacks.refuse(0);
                return Ok(());
            }
        };
        world.expect_effects_for(Duration::from_secs(20)).await;
        let mut labs = world.platform.labs.clone();
        rng.shuffle(&mut labs);
        labs.truncate(LABS);
        let faults = world.platform.provider.simulator().faults().clone();
        let orders = labs.iter().flat_map(|lab| {
            let effects = effects.iter().cloned();
            effects.map(|effect| Fault::new(effect).number(lab.phone_number_id()))
        });
        let ordered: Vec<u64> = orders.map(|fault| faults.add(fault)).collect();
        sleep(HOLD).await;
        for order in ordered {
            faults.remove(order);
        }
        Ok(())
    }
}

async fn batch(world: &World) -> anyhow::Result<()> {
    let faults = world.platform.provider.simulator().faults();
    let order = faults.add(Fault::new(Effect::BatchWebhooks {
        size: 1000,
        ms: 1500,
    }));
    sleep(HOLD).await;
    faults.remove(order);
    Ok(())
}

/// About messages that are on their way, with a signature that does not fit, or none.
async fn forge(world: &World, rng: &mut Rng) -> anyhow::Result<()> {
    let (provider, url) = (&world.platform.provider, world.platform.webhook_url());
    let http = reqwest::Client::builder().build()?;
    for number in 0..FORGERIES {
        let entries = provider.simulator().ledger().entries();
        let start = entries.len().saturating_sub(200);
        let Some(entry) = rng.choice(entries.get(start..).unwrap_or_default()) else {
            break;
        };
        let now: chrono::DateTime<Utc> = SystemClock.now();
        let status = json!({
            "id": entry.wamid, "status": "failed", "timestamp": now.timestamp().to_string(),
            "recipient_id": entry.to, "biz_opaque_callback_data": entry.opaque,
            "errors": [{ "code": 131_026, "title": "Message undeliverable" }],
        });
        let body = provider
            .status_webhook(&entry.phone_number_id, "200000000000001", &status)
            .to_string();
        let request = http.post(&url).body(body);
        let request = if number % 2 == 0 {
            request.header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
        } else {
            request
        };
        // While something else is broken there may be no answer at all.
        if let Ok(answer) = request.send().await {
            let status = answer.status();
            ensure!(
                status == StatusCode::UNAUTHORIZED || status.is_server_error(),
                "a forged webhook was answered with {status}"
            );
        }
    }
    Ok(())
}
