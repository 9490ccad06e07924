use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{
    api::Row,
    cast::{Fate, renewed_token},
    screen::Screen,
    stage::{Stage, Tenant},
    traffic::Posted,
};

const INTERVAL: Duration = Duration::from_millis(250);
/// What has not come to its end by then is lost.
const PATIENCE: Duration = Duration::from_secs(45);

/// The messages of all labs, as their histories show them.
pub(super) struct Messages {
    pub(super) rows: HashMap<String, Row>,
    /// More messages than the labs know of.
    pub(super) unknown: usize,
}

impl Messages {
    async fn read(stage: &Stage, posted: &[Posted]) -> anyhow::Result<Self> {
        let mut rows = HashMap::new();
        let mut total = 0;
        for tenant in &stage.labs {
            let history = stage.api.history(&tenant.id, &tenant.key).await?;
            total += history.total_count;
            let messages = history.messages.into_iter();
            rows.extend(messages.map(|row| (row.message_id.clone(), row)));
        }
        let known = posted.iter().filter_map(Posted::message_id).count();
        Ok(Self {
            rows,
            unknown: total.saturating_sub(known),
        })
    }

    pub(super) fn of(&self, posted: &Posted) -> Option<&Row> {
        self.rows.get(posted.message_id()?)
    }

    fn share_read(&self, posted: &[Posted], is_counted: impl Fn(&Posted) -> bool) -> f64 {
        let counted: Vec<&Posted> = posted.iter().filter(|it| is_counted(it)).collect();
        let read = counted
            .iter()
            .filter(|it| self.of(it).is_some_and(|row| row.status == "read"));
        let share = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        share(read.count()) / share(counted.len().max(1))
    }

    /// How many messages are in each state.
    fn line(&self) -> String {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for row in self.rows.values() {
            *states.entry(&row.status).or_default() += 1;
        }
        let shown = [
            "queued",
            "unconfirmed",
            "sent",
            "delivered",
            "read",
            "failed",
        ];
        let counts = shown
            .iter()
            .filter_map(|state| Some(format!("{state} {}", states.get(state)?)));
        counts.collect::<Vec<_>>().join("  ")
    }
}

/// The state in which a message must end.
pub(super) fn final_state(fate: Fate) -> &'static str {
    match fate {
        Fate::Read | Fate::Refused => "read",
        Fate::Unreachable => "failed",
    }
}

/// Watches until every accepted message is at its end and its lab knows, or patience is. In between, the lab with the
/// expired token gets a new one.
pub(super) async fn until_settled(
    stage: &Stage,
    posted: &[Posted],
    screen: &mut Screen,
) -> anyhow::Result<Messages> {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut without_token: Vec<usize> = (0..stage.labs.len())
        .filter(|place| {
            let tenant = stage.labs.get(*place);
            tenant.is_some_and(|tenant| tenant.lab.token_expired)
        })
        .collect();
    loop {
        ticks.tick().await;
        let messages = Messages::read(stage, posted).await?;
        screen.progress(&messages.line());
        let mut still_without = Vec::new();
        for place in without_token {
            if !repair(stage, place, (posted, &messages), screen).await? {
                still_without.push(place);
            }
        }
        without_token = still_without;
        let accepted = || posted.iter().filter(|it| it.message_id().is_some());
        let is_over = accepted().all(|it| is_settled(stage, it, &messages));
        if is_over || Instant::now() >= deadline {
            screen.step(&messages.line());
            return Ok(messages);
        }
    }
}

fn is_settled(stage: &Stage, posted: &Posted, messages: &Messages) -> bool {
    let expected = final_state(posted.parcel.patient.fate);
    let (Some(tenant), Some(id)) = (stage.labs.get(posted.parcel.lab), posted.message_id()) else {
        return false;
    };
    messages
        .of(posted)
        .is_some_and(|row| row.status == expected)
        && stage.lims.knows(tenant.lab.slug, id, expected)
}

/// Gives a lab a new token once its messages say that they wait for one, and half of the others' are read.
async fn repair(
    stage: &Stage,
    place: usize,
    (posted, messages): (&[Posted], &Messages),
    screen: &mut Screen,
) -> anyhow::Result<bool> {
    if messages.share_read(posted, |it| it.parcel.lab != place) < 0.5 {
        return Ok(false);
    }
    let Some(tenant) = stage.labs.get(place) else {
        return Ok(true);
    };
    let Some(reason) = waits_for_token(stage, tenant, place, posted).await? else {
        return Ok(false);
    };
    let lab = tenant.lab;
    screen.step(&format!("{}: \"{reason}\"", lab.name));
    stage.simulator.add_token(renewed_token(lab));
    stage
        .api
        .replace_token(&tenant.id, &tenant.key, &lab.next_token())
        .await?;
    screen.step(&format!("{} is given a new one", lab.name));
    Ok(true)
}

async fn waits_for_token(
    stage: &Stage,
    tenant: &Tenant,
    place: usize,
    posted: &[Posted],
) -> anyhow::Result<Option<String>> {
    let mut of_lab = posted.iter().filter(|it| it.parcel.lab == place);
    let Some(id) = of_lab.find_map(Posted::message_id) else {
        return Ok(None);
    };
    let status = stage.api.status(&tenant.key, id).await?;
    let reason = status.waiting.map(|waiting| waiting.reason);
    Ok(reason.filter(|reason| reason.contains("access token")))
}
