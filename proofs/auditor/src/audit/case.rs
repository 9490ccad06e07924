use std::iter::once;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    callbacks::Callback,
    ids::MessageId,
    ledgers::{
        Answer, DeadLetterRow, Decision, DeliveryRow, Lab, MessageRow, OperatorDecision, Posted,
        Send, State, TimelineRow, WorkRow,
    },
    verdict::Says,
};

/// All that the ledgers say about one message.
pub(super) struct Case<'a> {
    pub(super) message_id: MessageId,
    pub(super) posted: &'a Posted,
    pub(super) lab: &'a Lab,
    /// From the first try of the post until the last that is known of the message.
    pub(super) began_at: DateTime<Utc>,
    pub(super) ended_at: DateTime<Utc>,
    /// Another message that was acknowledged for the same request.
    pub(super) twin: Option<MessageId>,
    /// Another request that was answered with this message.
    pub(super) shared_with: Option<&'a Posted>,
    pub(super) row: Option<&'a MessageRow>,
    pub(super) sends: Vec<&'a Send>,
    pub(super) callbacks: Vec<&'a Callback<'a>>,
    pub(super) decisions: Vec<&'a OperatorDecision>,
    pub(super) timeline: Vec<&'a TimelineRow>,
    pub(super) deliveries: Vec<&'a DeliveryRow>,
    /// What is left to do, or was given up, for the message and its callbacks.
    pub(super) work: Vec<&'a WorkRow>,
    pub(super) dead_letters: Vec<&'a DeadLetterRow>,
}

impl<'a> Case<'a> {
    pub(super) fn new(message_id: MessageId, posted: &'a Posted, lab: &'a Lab) -> Self {
        Self {
            message_id,
            posted,
            lab,
            began_at: posted.posted_at,
            ended_at: posted.posted_at,
            twin: None,
            shared_with: None,
            row: None,
            sends: Vec::new(),
            callbacks: Vec::new(),
            decisions: Vec::new(),
            timeline: Vec::new(),
            deliveries: Vec::new(),
            work: Vec::new(),
            dead_letters: Vec::new(),
        }
    }

    pub(super) fn was_alive_at(&mut self, at: DateTime<Utc>) {
        self.began_at = self.began_at.min(at);
        self.ended_at = self.ended_at.max(at);
    }

    pub(super) fn decided(&self, decision: Decision) -> usize {
        let decisions = self.decisions.iter();
        decisions.filter(|it| it.decision == decision).count()
    }

    pub(super) fn state(&self) -> Option<State> {
        self.row.map(|row| row.state)
    }

    pub(super) fn says(&self) -> Says {
        Says {
            lims: self.lims_says(),
            provider: or_nothing(self.sends.iter().map(|send| provider_says(send)), "; "),
            database: self.database_says(),
            callbacks: or_nothing(self.callbacks.iter().map(|it| it.r#type.clone()), ", "),
            operator: or_nothing(self.decisions.iter().map(|it| operator_says(it)), ", "),
        }
    }

    fn lims_says(&self) -> String {
        let Posted {
            key,
            lab_id,
            expect,
            answer,
            ..
        } = self.posted;
        let answer = match answer {
            Answer::Acknowledged { acked_at, .. } => format!("acknowledged {}", instant(*acked_at)),
            Answer::GaveUp => "never acknowledged".to_owned(),
        };
        format!("key {key} of {lab_id}, {answer}, expects {expect}")
    }

    fn database_says(&self) -> String {
        let Some(row) = self.row else {
            return "nothing".to_owned();
        };
        let MessageRow {
            state,
            attempts,
            resends,
            failure_class,
            failure_detail,
            ..
        } = row;
        let state = format!("{state}, {attempts} attempts, {resends} resends");
        let failure = failure_class.iter().zip(failure_detail);
        let failure = failure.map(|(class, detail)| format!("failure {class}: {detail}"));
        let work = self.work.iter().map(|work| {
            let reason = work.reason.as_deref().unwrap_or("no reason");
            format!("{} work is {}: {reason}", work.kind, work.state)
        });
        let dead_letters = self.dead_letters.iter();
        let dead = dead_letters.map(|it| format!("{} work was given up: {}", it.kind, it.reason));
        or_nothing(once(state).chain(failure).chain(work).chain(dead), "; ")
    }
}

fn provider_says(send: &Send) -> String {
    let fate = send.fate.iter().map(|it| {
        let told = if it.told { "told" } else { "not told" };
        match it.code {
            Some(code) => format!("{} {code} {told}", it.status),
            None => format!("{} {told}", it.status),
        }
    });
    let fate = or_nothing(fate, ", ");
    format!("accepted {}: {fate}", instant(send.at))
}

fn operator_says(decision: &OperatorDecision) -> String {
    let what = match decision.decision {
        Decision::Sent => "sent",
        Decision::NotSent => "not sent",
    };
    format!("{what} {}", instant(decision.at))
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn or_nothing(items: impl Iterator<Item = String>, separator: &str) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(separator)
    }
}
