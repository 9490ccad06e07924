use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use dispatch::{Begin, Claim, Deps, FlowLimits, Handler, Outcome};
use domain::{Backoff, CallbackDeliveryId, FlowId, RetrySchedule, WorkKind};
use reqwest::StatusCode;
use sealed_records::DataKeys;
use storage::{
    Connection, Database,
    callbacks::{self, Attempt, Delivery, Endpoint},
    messages::{NewTimelineEntry, insert_timeline},
};

use crate::{
    CallbacksConfig, Effect, Finding, Poster,
    effect::Subject,
    metrics,
    poster::{Answer, Callback, Failure},
};

/// How long a callback waits for a trouble of our own to pass.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);
/// How long a callback waits whose worker was lost.
const LOST_PAUSE: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(1));
/// Longest wait that an endpoint may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A callback and where it goes; `None` once it is no longer stored. Or why it could not be looked up.
pub type Stored = Result<Option<Delivery>, Arc<storage::Error>>;

/// What `callback` work means: at least once, always under the same `webhook-id`.
pub struct CallbackHandler {
    deps: Deps,
    keys: DataKeys,
    poster: Poster,
    schedule: RetrySchedule,
    limits: FlowLimits,
}

impl CallbackHandler {
    pub fn new(deps: Deps, keys: DataKeys, poster: Poster, config: &CallbacksConfig) -> Self {
        metrics::describe();
        Self {
            deps,
            keys,
            poster,
            schedule: config.retries(),
            limits: FlowLimits {
                rate: None,
                window: config.window.get(),
                pair: None,
                scopes: Vec::new(),
            },
        }
    }

    /// Calls the endpoint, once.
    pub async fn deliver(&self, claim: &Claim, stored: Stored) -> Effect {
        let (finding, subject) = match stored {
            Ok(Some(delivery)) => {
                let subject = Subject::from(&delivery);
                (
                    self.deliver_to_endpoint(claim, delivery).await,
                    Some(subject),
                )
            }
            Ok(None) => (given_up(None, "the callback is no longer stored"), None),
            Err(error) => (self.trouble(claim, &*error, error.is_unavailable()), None),
        };
        metrics::acted(&finding);
        Effect {
            finding,
            subject,
            at: self.deps.clock.now(),
        }
    }

    async fn load(
        &self,
        claims: &[Claim],
    ) -> storage::Result<HashMap<CallbackDeliveryId, Delivery>> {
        let ids: Vec<_> = claims.iter().map(subject).collect();
        let mut connection = self.deps.database.acquire().await?;
        let deliveries = callbacks::list_deliveries(&mut connection, &ids).await?;
        // The keys use a connection of their own.
        drop(connection);
        let endpoints = deliveries.iter().filter_map(|it| it.endpoint.as_ref());
        self.keys.expect(endpoints.map(|it| it.tenant_id)).await;
        Ok(deliveries.into_iter().map(|it| (it.id, it)).collect())
    }

    async fn deliver_to_endpoint(&self, claim: &Claim, delivery: Delivery) -> Finding {
        if delivery.delivered_at.is_some() {
            return Finding::AlreadyDelivered;
        }
        let Some(endpoint) = delivery.endpoint else {
            return given_up(None, "the endpoint was removed");
        };
        let secret = match self.open_secret(&endpoint).await {
            Ok(secret) => secret,
            Err(error) => return self.trouble(claim, &error, error.is_unavailable()),
        };
        let callback = Callback {
            id: &delivery.id.to_string(),
            url: &endpoint.url,
            secret: &secret,
            payload: delivery.payload,
            traceparent: claim.traceparent.as_deref(),
            at: self.deps.clock.now(),
        };
        let started = self.deps.clock.monotonic();
        let answer = self.poster.post(callback).await;
        metrics::posted(self.deps.clock.monotonic().saturating_sub(started));
        self.judge(claim, &answer)
    }

    async fn open_secret(
        &self,
        endpoint: &Endpoint,
    ) -> sealed_records::Result<secrecy::SecretString> {
        let records = self.keys.tenant(endpoint.tenant_id).await?;
        records.open_callback_secret(&endpoint.secret)
    }

    fn judge(&self, claim: &Claim, answer: &Result<Answer, Failure>) -> Finding {
        match answer {
            Ok(answer) => self.answered(claim, answer),
            Err(failure @ (Failure::Url(_) | Failure::Secret)) => {
                given_up(None, failure.to_string())
            }
            Err(failure) => self.again(claim, None, None, failure.to_string()),
        }
    }

    fn answered(&self, claim: &Claim, answer: &Answer) -> Finding {
        let status = answer.status.as_u16();
        let reason = format!("the endpoint answered {status}");
        if answer.status.is_success() {
            Finding::Delivered { status }
        } else if answer.status == StatusCode::GONE {
            given_up(Some(status), reason)
        } else {
            self.again(claim, answer.retry_after, Some(status), reason)
        }
    }

    /// Again by the schedule, not before the endpoint wants it; given up when the schedule is used up.
    fn again(
        &self,
        claim: &Claim,
        retry_after: Option<Duration>,
        status: Option<u16>,
        reason: String,
    ) -> Finding {
        let attempt = u32::try_from(claim.failures)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        match self.schedule.delay(attempt, jitter(claim)) {
            Some(delay) => Finding::Later {
                after: retry_after.map_or(delay, |wish| wish.min(MAX_RETRY_AFTER).max(delay)),
                failed: true,
                status,
                reason,
            },
            None => given_up(
                status,
                format!("given up after {attempt} attempts: {reason}"),
            ),
        }
    }

    /// The endpoint was not called, and it is not to blame.
    fn trouble(
        &self,
        claim: &Claim,
        error: &(dyn std::error::Error + 'static),
        is_unavailable: bool,
    ) -> Finding {
        tracing::warn!(
            error,
            work.id = %claim.id,
            "could not prepare a callback"
        );
        let reason = "an internal error kept it from being delivered".to_owned();
        if is_unavailable {
            return Finding::Later {
                after: TROUBLE_PAUSE,
                failed: false,
                status: None,
                reason,
            };
        }
        self.again(claim, None, None, reason)
    }
}

fn subject(claim: &Claim) -> CallbackDeliveryId {
    CallbackDeliveryId::from_uuid(claim.subject)
}

fn given_up(status: Option<u16>, reason: impl Into<String>) -> Finding {
    Finding::GivenUp {
        status,
        reason: reason.into(),
    }
}

/// Spreads retries; the same for the same claim.
fn jitter(claim: &Claim) -> f64 {
    let (_, low) = claim.id.as_uuid().as_u64_pair();
    let mixed = low
        .wrapping_add(u64::from(claim.attempt.unsigned_abs()))
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

impl Handler for CallbackHandler {
    type Store = Database;
    type Prepared = Stored;
    type Effect = Effect;

    fn kind(&self) -> WorkKind {
        WorkKind::Callback
    }

    async fn limits(&self, flows: &[FlowId]) -> storage::Result<HashMap<FlowId, FlowLimits>> {
        Ok(flows
            .iter()
            .map(|flow| (*flow, self.limits.clone()))
            .collect())
    }

    async fn prepare(&self, claims: &[Claim]) -> Vec<Stored> {
        let mut loaded = self.load(claims).await.map_err(Arc::new);
        let stored = claims.iter().map(|claim| match &mut loaded {
            Ok(deliveries) => Ok(deliveries.remove(&subject(claim))),
            Err(error) => Err(Arc::clone(error)),
        });
        stored.collect()
    }

    /// Nothing is recorded beforehand: a callback may come twice, and its `webhook-id` tells the receiver so.
    async fn act(&self, claim: &Claim, stored: Stored, _: Begin<'_>) -> Effect {
        self.deliver(claim, stored).await
    }

    async fn abandoned(&self, claim: &Claim) -> Effect {
        let finding = if claim.losses.too_many() {
            given_up(
                None,
                "again and again its worker was lost while delivering it".to_owned(),
            )
        } else {
            Finding::Later {
                after: LOST_PAUSE.after(claim.losses.pause() - 1),
                failed: false,
                status: None,
                reason: "its worker was lost before it told the result".to_owned(),
            }
        };
        Effect {
            finding,
            subject: None,
            at: self.deps.clock.now(),
        }
    }

    async fn record(
        &self,
        connection: &mut Connection,
        effects: &[(Claim, Effect)],
        _: DateTime<Utc>,
    ) -> storage::Result<Vec<Outcome>> {
        let attempts: Vec<Attempt> = effects
            .iter()
            .filter_map(|(claim, effect)| effect.attempt(claim))
            .collect();
        let entries: Vec<NewTimelineEntry> = effects
            .iter()
            .filter_map(|(claim, effect)| effect.entry(claim))
            .collect();
        callbacks::record_attempts(connection, &attempts).await?;
        insert_timeline(connection, &entries).await?;
        Ok(effects.iter().map(|(_, effect)| effect.outcome()).collect())
    }
}
