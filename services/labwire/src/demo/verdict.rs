use meta_simulator::Entry;
use serde::Serialize;

use super::{
    api::Row,
    cast::Fate,
    pace,
    stage::{Stage, Tenant},
    traffic::Posted,
    watch::{Messages, final_state},
};

/// What the provider fails a message to somebody without WhatsApp with.
const NOT_ON_WHATSAPP: i64 = 131_026;

/// What became of everything.
#[derive(Serialize)]
pub(super) struct Verdict {
    pub(super) accepted: usize,
    pub(super) refused: usize,
    pub(super) read: usize,
    /// Failed, and had to.
    pub(super) failed: usize,
    /// Accepted, and not where it had to come to.
    pub(super) lost: usize,
    /// Sent, or accepted, more than once.
    pub(super) duplicates: usize,
    pub(super) labs: Vec<LabVerdict>,
    /// What must not have happened, in words.
    pub(super) complaints: Vec<String>,
    /// The messages that are lost.
    #[serde(skip)]
    pub(super) lost_ids: Vec<String>,
}

/// What became of one lab's reports.
#[derive(Serialize)]
pub(super) struct LabVerdict {
    pub(super) name: &'static str,
    pub(super) rate_per_second: u32,
    pub(super) burst: u32,
    /// Most sends that the provider saw within one second.
    pub(super) busiest_second: usize,
    pub(super) accepted: usize,
    pub(super) refused: usize,
    pub(super) sent: usize,
    pub(super) delivered: usize,
    pub(super) read: usize,
    pub(super) failed: usize,
    pub(super) waiting: usize,
    pub(super) callbacks_verified: usize,
    #[serde(skip)]
    callbacks_refused: usize,
    #[serde(skip)]
    limit_kept: bool,
}

impl Verdict {
    pub(super) fn of(stage: &Stage, posted: &[Posted], messages: &Messages) -> Self {
        let ledger = stage.simulator.ledger();
        let entries = ledger.entries();
        let labs: Vec<LabVerdict> = (stage.labs.iter().enumerate())
            .map(|(place, tenant)| {
                let own: Vec<&Posted> = posted.iter().filter(|it| it.parcel.lab == place).collect();
                LabVerdict::of(stage, tenant, &own, (messages, &entries))
            })
            .collect();
        let mut verdict = Self {
            accepted: 0,
            refused: 0,
            read: 0,
            failed: 0,
            lost: 0,
            // What the ledger has more than once, and messages that a repeated post made.
            duplicates: entries.len().saturating_sub(ledger.distinct()) + messages.unknown,
            complaints: labs.iter().flat_map(LabVerdict::complaints).collect(),
            lost_ids: Vec::new(),
            labs,
        };
        for one in posted {
            verdict.count(one, messages.of(one), &entries);
        }
        verdict
    }

    fn count(&mut self, posted: &Posted, row: Option<&Row>, entries: &[Entry]) {
        if posted.was_doubled {
            self.duplicates += 1;
        }
        let Some(id) = posted.message_id() else {
            self.refused += 1;
            return;
        };
        self.accepted += 1;
        if posted.parcel.patient.fate == Fate::Refused {
            self.complaints
                .push(format!("{id} was accepted for a number that is none"));
        }
        match fault(posted, id, row, entries) {
            None if posted.parcel.patient.fate == Fate::Unreachable => self.failed += 1,
            None => self.read += 1,
            Some(fault) => {
                self.lost += 1;
                self.complaints.push(format!("{id} {fault}"));
                self.lost_ids.push(id.to_owned());
            }
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.complaints.is_empty()
    }

    pub(super) fn last_line(&self) -> String {
        format!(
            "demo: {} accepted, {} read, {} failed as expected, {} lost, {} duplicates",
            self.accepted, self.read, self.failed, self.lost, self.duplicates
        )
    }
}

/// Why a message did not come to its end: in the API's eyes, and in the patient's hands.
fn fault(posted: &Posted, id: &str, row: Option<&Row>, entries: &[Entry]) -> Option<String> {
    let patient = &posted.parcel.patient;
    let Some(row) = row else {
        return Some("is not in the history".to_owned());
    };
    let expected = final_state(patient.fate);
    if row.status != expected {
        return Some(format!("is {} and not {expected}", row.status));
    }
    let code = row.error.as_ref().and_then(|error| error.provider_code);
    if patient.fate == Fate::Unreachable && code != Some(NOT_ON_WHATSAPP) {
        return Some(format!("failed with {code:?} and not {NOT_ON_WHATSAPP}"));
    }
    let mine = |entry: &&Entry| entry.opaque.as_deref() == Some(id);
    let Some(entry) = entries.iter().find(mine) else {
        return Some("was never taken by the provider".to_owned());
    };
    if entry.to != patient.digits {
        return Some("went to somebody else".to_owned());
    }
    let sha256 = hex::encode(posted.parcel.sha256);
    (entry.media_sha256.as_deref() != Some(&*sha256))
        .then(|| "carried another file than was posted".to_owned())
}

impl LabVerdict {
    fn of(
        stage: &Stage,
        tenant: &Tenant,
        posted: &[&Posted],
        (messages, entries): (&Messages, &[Entry]),
    ) -> Self {
        let lab = tenant.lab;
        let rows: Vec<&Row> = posted.iter().filter_map(|it| messages.of(it)).collect();
        let count =
            |is_counted: fn(&Row) -> bool| rows.iter().filter(|row| is_counted(row)).count();
        let accepted = posted.iter().filter(|it| it.message_id().is_some()).count();
        let sends: Vec<_> = entries
            .iter()
            .filter(|entry| entry.phone_number_id == lab.phone_number_id)
            .map(|entry| entry.at)
            .collect();
        let (callbacks_verified, callbacks_refused) = stage.lims.count(lab.slug);
        Self {
            name: lab.name,
            rate_per_second: lab.rate_per_second,
            burst: lab.burst,
            busiest_second: pace::busiest_second(&sends),
            accepted,
            refused: posted.len() - accepted,
            sent: count(|row| row.sent_at.is_some()),
            delivered: count(|row| row.delivered_at.is_some()),
            read: count(|row| row.read_at.is_some()),
            failed: count(|row| row.status == "failed"),
            waiting: count(|row| ["queued", "unconfirmed"].contains(&&*row.status)),
            callbacks_verified,
            callbacks_refused,
            limit_kept: pace::is_kept(&sends, lab.rate_per_second, lab.burst),
        }
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.callbacks_refused > 0 {
            let refused = self.callbacks_refused;
            complaints.push(format!(
                "{} got {refused} callbacks that are not signed",
                self.name
            ));
        }
        if !self.limit_kept {
            complaints.push(format!("{} was sent for faster than its limit", self.name));
        }
        complaints
    }
}
