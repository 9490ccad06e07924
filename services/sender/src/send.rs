//! One send: it is prepared, marked, and put to the provider.

use std::time::Duration;

use chrono::{DateTime, Utc};
use dispatch::{Begin, Claim};
use domain::{MessageState, Scope, UnconfirmedPolicy};
use providers::{OutboundMessage, Provider, SendError, Sender};
use storage::{attachments::MediaUpload, messages};

use crate::{
    compose::{Composition, compose},
    doubt::{self, Resend},
    effect::{Finding, Proof},
    handler::SendHandler,
    job::{Job, Stored, Trouble, subject},
    metrics,
    verdict::{Tried, judge},
};

/// What a send came to.
pub(crate) struct Found {
    pub(crate) finding: Finding,
    /// Whether it was to repeat a send in doubt.
    pub(crate) resend: Resend,
    pub(crate) upload: Option<MediaUpload>,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self {
            finding,
            resend: Resend::No,
            upload: None,
        }
    }
}

impl<P: Provider + Clone + Send + Sync + 'static> SendHandler<P> {
    /// Sends it, or says why that is not to be done.
    pub(crate) async fn find(
        &self,
        claim: &Claim,
        stored: Stored,
        begin: Begin<'_>,
    ) -> Result<Found, Trouble> {
        let Some(job) = Job::new(&self.accounts, stored).await? else {
            return Ok(Finding::Settled.into());
        };
        if let Some(finding) = self.settled(&job) {
            return Ok(finding.into());
        }
        let found = self.send(&job, claim, begin).await?;
        Ok(Found {
            resend: Resend::of(&job.row),
            ..found
        })
    }

    /// What can be said without sending.
    fn settled(&self, job: &Job) -> Option<Finding> {
        let now = self.deps.clock.now();
        match job.row.state() {
            MessageState::Queued if now >= job.message.expires_at => Some(Finding::Expired),
            MessageState::Queued => None,
            MessageState::Unconfirmed => self.in_doubt(job, now),
            _ => Some(Finding::Settled),
        }
    }

    /// A send whose answer was never seen: never repeated before its time, and then only if the tenant wants it so.
    fn in_doubt(&self, job: &Job, now: DateTime<Utc>) -> Option<Finding> {
        let heard_by = doubt::since(&job.row) + self.settings.unconfirmed_grace;
        if let Ok(left) = (heard_by - now).to_std()
            && !left.is_zero()
        {
            return Some(Finding::StillUnconfirmed { left });
        }
        let may_resend = job.account.tenant.unconfirmed_policy == UnconfirmedPolicy::Resend
            && job.row.resends < i32::from(self.settings.max_resends)
            && now < job.message.expires_at;
        if may_resend {
            None
        } else {
            Some(Finding::Parked)
        }
    }

    async fn send(&self, job: &Job, claim: &Claim, begin: Begin<'_>) -> Result<Found, Trouble> {
        let number = &job.account.number;
        let Some(token) = &job.account.token else {
            self.accounts.forget(number.id);
            return Ok(Finding::CredentialRefused {
                number: number.id,
                token: None,
                pause: self.settings.pauses.credential(),
                code: None,
            }
            .into());
        };
        let sender = Sender {
            phone_number_id: number.phone_number_id.clone(),
            token: token.secret.clone(),
        };
        let composition = match compose(job, self.is_window_open(job))? {
            Ok(composition) => composition,
            Err(cause) => return Ok(Finding::Failed { cause }.into()),
        };
        let tried = Tried {
            claim,
            number,
            pair: Scope::pair(claim.flow, &job.message.recipient_hash),
            token: Some(token.updated_at),
            template: composition.template(),
            pauses: self.settings.pauses,
        };
        let (content, upload) = match self.attach(&sender, job, composition).await? {
            Ok(attached) => attached,
            Err(error) => return Ok(self.not_sent(&tried, &error).await.into()),
        };
        let message = OutboundMessage {
            to: job.account.records.open_recipient(&job.message.recipient)?,
            opaque: job.message.id,
            content,
        };
        let finding = self.put(&tried, job, (&sender, &message), begin).await?;
        Ok(Found {
            upload,
            ..finding.into()
        })
    }

    /// Over the point of no return.
    async fn put(
        &self,
        tried: &Tried<'_>,
        job: &Job,
        (sender, message): (&Sender, &OutboundMessage),
        begin: Begin<'_>,
    ) -> Result<Finding, Trouble> {
        if begin.begin().await.is_err() {
            return Ok(Finding::ClaimLost);
        }
        if Resend::of(&job.row) != Resend::No
            && doubt::is_over(&self.deps.database, job.message.id).await?
        {
            return Ok(Finding::Settled);
        }
        let tried_at = self.deps.clock.now();
        Ok(match self.provider.send(sender, message).await {
            Ok(accepted) => {
                metrics::send("accepted");
                Finding::Accepted {
                    wamid: accepted.wamid,
                    message_status: accepted.message_status,
                    proof: Proof {
                        scopes: tried.scopes(),
                        tried_at,
                    },
                }
            }
            Err(error) => self.not_sent(tried, &error).await,
        })
    }

    fn is_window_open(&self, job: &Job) -> bool {
        // A window that closes while we send would fail the message after the fact.
        let margin = self.deps.clock.now() + Duration::from_mins(1);
        job.window_until.is_some_and(|until| until > margin)
    }

    async fn attach(
        &self,
        sender: &Sender,
        job: &Job,
        composition: Composition,
    ) -> Result<Result<(providers::Content, Option<MediaUpload>), SendError>, Trouble> {
        let Some(file) = &job.file else {
            return Ok(Ok((composition.without_file(), None)));
        };
        let uploaded = self.media.upload(sender, job, file).await?;
        Ok(uploaded.map(|file| (composition.with_file(&file), file.made)))
    }

    /// What came of a call that did not say yes.
    async fn not_sent(&self, tried: &Tried<'_>, error: &SendError) -> Finding {
        metrics::send(match error {
            SendError::NotSent { .. } => "unreachable",
            SendError::Ambiguous { .. } => "unconfirmed",
            SendError::Rejected(rejection) => rejection.classified.class.as_str(),
        });
        let alike = match error {
            SendError::Rejected(rejection) if rejection.classified.max_attempts.is_some() => {
                self.count_alike(tried.claim, rejection.code).await
            }
            _ => 0,
        };
        let finding = judge(tried, error, alike);
        if matches!(finding, Finding::CredentialRefused { .. }) {
            self.accounts.forget(tried.number.id);
        }
        finding
    }

    /// Earlier tries that ended with this code. Where that cannot be found out, none: one try too many does no harm.
    async fn count_alike(&self, claim: &Claim, code: i64) -> u32 {
        let count = async {
            let mut connection = self.deps.database.acquire().await?;
            messages::count_attempts(&mut connection, subject(claim), code).await
        };
        count.await.unwrap_or(0)
    }
}
