use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use attachments::AttachmentStore;
use chrono::{DateTime, Utc};
use convergence::{Learned, learn};
use dispatch::{Begin, Claim, Deps, FlowLimits, Handler, Outcome};
use domain::{FlowId, Rate, Scope, SenderNumberId, WorkKind};
use providers::Provider;
use sealed_records::DataKeys;
use storage::{
    Connection, Database,
    attachments::{MediaUpload, upsert_media_uploads},
    credentials,
    inbound::{lock_wamids, take_unmatched},
    sender_numbers, work,
};

use crate::{
    accounts::Accounts,
    config::SenderConfig,
    doubt::{self, Resend},
    effect::{Effect, Finding, early_status},
    job::{Stored, look_up},
    media::Media,
    metrics,
    verdict::{Pauses, again, lost, unrecordable},
};

/// How sends behave.
#[derive(Debug, Clone, Copy)]
pub struct SendSettings {
    pub unconfirmed_grace: Duration,
    pub max_resends: u16,
    /// `None`: no limit of our own to one recipient.
    pub pair: Option<Rate>,
    pub pauses: Pauses,
}

impl From<&SenderConfig> for SendSettings {
    fn from(config: &SenderConfig) -> Self {
        Self {
            unconfirmed_grace: config.unconfirmed_grace,
            max_resends: config.max_resends,
            pair: Rate::new(config.pair_rate, config.pair_burst).ok(),
            pauses: Pauses {
                echo: config.echo_wait,
                credential: config.credential_pause,
                account: config.account_pause,
                template: config.template_pause,
                longest: config.longest_pause,
            },
        }
    }
}

/// What `send` work means.
pub struct SendHandler<P> {
    pub(crate) deps: Deps,
    pub(crate) accounts: Accounts,
    pub(crate) media: Media<P>,
    pub(crate) provider: P,
    pub(crate) settings: SendSettings,
}

impl<P: Provider + Clone> SendHandler<P> {
    pub fn new(
        deps: Deps,
        keys: DataKeys,
        files: AttachmentStore,
        provider: P,
        settings: SendSettings,
    ) -> Self {
        metrics::describe();
        Self {
            accounts: Accounts::new(deps.database.clone(), keys, Arc::clone(&deps.clock)),
            media: Media::new(files, provider.clone(), Arc::clone(&deps.clock)),
            deps,
            provider,
            settings,
        }
    }
}

/// A token that the provider refused: whose, and since when it was theirs.
type RefusedToken = (SenderNumberId, Option<DateTime<Utc>>);

impl<P: Provider + Clone + Send + Sync + 'static> Handler for SendHandler<P> {
    type Store = Database;
    type Prepared = Stored;
    type Effect = Effect;

    fn kind(&self) -> WorkKind {
        WorkKind::Send
    }

    async fn limits(&self, flows: &[FlowId]) -> storage::Result<HashMap<FlowId, FlowLimits>> {
        let ids: Vec<SenderNumberId> = flows
            .iter()
            .map(|flow| SenderNumberId::from_uuid(flow.as_uuid()))
            .collect();
        let mut connection = self.deps.database.acquire().await?;
        let numbers = sender_numbers::list_sender_numbers(&mut connection, &ids).await?;
        Ok(numbers
            .into_iter()
            .filter_map(|number| {
                let burst = u32::try_from(number.burst).ok()?;
                let rate = Rate::new(number.rate_per_second, burst).ok()?;
                // Room for two seconds of sends under way: a slow provider must not lower the rate.
                let window = whole(number.rate_per_second * 2.0).max(burst);
                let limits = FlowLimits {
                    rate: Some(rate),
                    window,
                    pair: self.settings.pair,
                    scopes: number.scopes(),
                };
                Some((FlowId::from_uuid(number.id.as_uuid()), limits))
            })
            .collect())
    }

    async fn prepare(&self, claims: &[Claim]) -> Vec<Stored> {
        let stored = look_up(&self.deps.database, claims, self.deps.clock.now()).await;
        let messages = stored.iter().filter_map(|it| it.as_ref().ok()?.as_ref());
        let numbers = messages.map(|it| it.message.sender_number_id);
        self.accounts.expect(numbers).await;
        stored
    }

    async fn act(&self, claim: &Claim, stored: Stored, begin: Begin<'_>) -> Effect {
        let found = match self.find(claim, stored, begin).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "could not prepare a send"
                );
                again(claim, "an internal error kept it from being sent").into()
            }
        };
        Effect {
            finding: found.finding,
            resend: Some(found.resend),
            upload: found.upload,
            at: self.deps.clock.now(),
        }
    }

    async fn abandoned(&self, claim: &Claim) -> Effect {
        let finding = if claim.begun {
            Finding::Unconfirmed
        } else {
            lost(claim)
        };
        Effect {
            finding,
            resend: None,
            upload: None,
            at: self.deps.clock.now(),
        }
    }

    async fn record(
        &self,
        connection: &mut Connection,
        effects: &[(Claim, Effect)],
        now: DateTime<Utc>,
    ) -> storage::Result<Vec<Outcome>> {
        let mut learned = Vec::with_capacity(effects.len());
        let mut judged = Vec::with_capacity(effects.len());
        let ours = doubt::still_ours(connection, effects).await?;
        for (claim, effect) in effects {
            let resend = match effect.resend {
                Some(resend) => resend,
                None => Resend::of_lost(connection, claim).await?,
            };
            let is_ours = ours.contains(&claim.id);
            let effect = match resend {
                _ if !is_ours => effect.of_an_outsider(),
                Resend::Policy => effect.in_doubt(),
                Resend::No | Resend::Decision => Cow::Borrowed(effect),
            };
            let mut item = effect.learned(claim, resend);
            item.attempted &= is_ours;
            item.resent &= is_ours;
            if item.resent {
                metrics::resend(resend);
            }
            learned.push(item);
            judged.push((claim, effect));
        }
        join_early_statuses(connection, &mut learned).await?;
        let settled = doubt::settled(&learn(connection, learned, now).await?);
        work::lift_pauses(connection, &proven(effects), now).await?;
        let uploads = effects.iter().filter_map(|(_, it)| it.upload_to_keep());
        let uploads: Vec<MediaUpload> = uploads.cloned().collect();
        upsert_media_uploads(connection, &uploads).await?;
        let replaced = replaced_tokens(connection, effects).await?;
        Ok(judged
            .iter()
            .map(|(claim, effect)| match &effect.finding {
                Finding::CredentialRefused { number, token, .. }
                    if replaced.contains(&(*number, *token)) =>
                {
                    Outcome::Retry {
                        after: Duration::ZERO,
                        failed: false,
                        reason: "the access token was replaced meanwhile".to_owned(),
                    }
                }
                _ => {
                    let outcome = effect.outcome(claim, self.settings.unconfirmed_grace);
                    doubt::unless_settled(outcome, &settled, claim)
                }
            })
            .collect())
    }

    async fn given_up(
        &self,
        connection: &mut Connection,
        claim: &Claim,
        now: DateTime<Utc>,
    ) -> storage::Result<()> {
        let effect = Effect {
            finding: unrecordable(),
            resend: None,
            upload: None,
            at: now,
        };
        let resend = Resend::of_lost(connection, claim).await?;
        if resend == Resend::Policy {
            return Ok(());
        }
        learn(connection, vec![effect.learned(claim, resend)], now).await?;
        Ok(())
    }
}

/// What the accepted sends of a batch show to work again, and when the latest of them was tried.
fn proven(effects: &[(Claim, Effect)]) -> BTreeMap<Scope, DateTime<Utc>> {
    let mut proven = BTreeMap::new();
    for (_, effect) in effects {
        if let Finding::Accepted { proof, .. } = &effect.finding {
            for scope in &proof.scopes {
                let tried_at = proven.entry(scope.clone()).or_insert(proof.tried_at);
                *tried_at = proof.tried_at.max(*tried_at);
            }
        }
    }
    proven
}

/// Statuses can come before the send is recorded, and without our id: they waited under the wamid that we learn now.
async fn join_early_statuses(
    connection: &mut Connection,
    learned: &mut [Learned],
) -> storage::Result<()> {
    let wamids: Vec<String> = learned
        .iter()
        .filter_map(|item| item.wamid.clone())
        .collect();
    lock_wamids(connection, &wamids).await?;
    for (wamid, report) in take_unmatched(connection, &wamids).await? {
        if let Some(item) = learned
            .iter_mut()
            .find(|item| item.wamid.as_ref() == Some(&wamid))
        {
            item.entries.push(early_status(&report));
            item.reports.push(report);
        }
    }
    Ok(())
}

/// The refused tokens that are no longer their numbers': for a token stored meanwhile nothing must wait.
async fn replaced_tokens(
    connection: &mut Connection,
    effects: &[(Claim, Effect)],
) -> storage::Result<BTreeSet<RefusedToken>> {
    let refused: BTreeSet<RefusedToken> = effects
        .iter()
        .filter_map(|(_, effect)| match effect.finding {
            Finding::CredentialRefused { number, token, .. } => Some((number, token)),
            _ => None,
        })
        .collect();
    let mut replaced = BTreeSet::new();
    // In one order everywhere, so that two batches cannot wait for each other.
    for (number, token) in refused {
        work::lock_scope(connection, &Scope::credential(number)).await?;
        if !credentials::is_current(connection, number, token).await? {
            replaced.insert((number, token));
        }
    }
    Ok(replaced)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive and at most 1,000"
)]
fn whole(number: f64) -> u32 {
    number.ceil() as u32
}
