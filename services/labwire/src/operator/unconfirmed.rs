use anyhow::{Context as _, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};
use convergence::{Fate, Resolution};
use domain::{Clock as _, Decider, MessageId, TenantId, Wamid};
use serde::Serialize;
use storage::messages::{InDoubt, list_in_doubt};

use super::{DatabaseConfig, say, say_json, table::table};

/// Messages of which nobody knows whether they were sent.
#[derive(Subcommand)]
pub(crate) enum Unconfirmed {
    /// List them, those first that have been in doubt longest.
    List(List),
    /// Say what is known of one: that it was sent, or that it was not and is to be sent anew.
    Resolve(Resolve),
}

#[derive(Args)]
pub(crate) struct List {
    /// Only those that wait for a decision.
    #[arg(long)]
    parked: bool,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Resolve {
    /// The message's id.
    message_id: MessageId,
    /// What is known of it.
    #[arg(long = "as", value_enum)]
    fate: Known,
    /// The provider's id of the message, if it was sent.
    #[arg(long)]
    wamid: Option<Wamid>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Known {
    Sent,
    NotSent,
}

#[derive(Serialize)]
struct Row {
    message_id: MessageId,
    lab_id: TenantId,
    since: DateTime<Utc>,
    parked: bool,
    resends: i32,
    /// When the lab's policy applies.
    due_at: Option<DateTime<Utc>>,
}

impl From<InDoubt> for Row {
    fn from(found: InDoubt) -> Self {
        Self {
            message_id: found.message_id,
            lab_id: found.tenant_id,
            since: found.doubt.since,
            parked: found.doubt.is_parked,
            resends: found.resends,
            due_at: found.due_at,
        }
    }
}

pub(crate) async fn run(config: &DatabaseConfig, command: Unconfirmed) -> anyhow::Result<()> {
    match command {
        Unconfirmed::List(options) => list(config, &options).await,
        Unconfirmed::Resolve(options) => resolve(config, options).await,
    }
}

async fn list(config: &DatabaseConfig, options: &List) -> anyhow::Result<()> {
    let mut connection = config.connect()?.acquire().await?;
    let found = list_in_doubt(&mut connection, options.parked, options.limit).await?;
    let rows: Vec<Row> = found.into_iter().map(Row::from).collect();
    if options.json {
        return say_json(&rows);
    }
    let lines: Vec<[String; 5]> = rows.iter().map(line).collect();
    say(&table(
        ["MESSAGE", "LAB", "SINCE", "RESENDS", "WAITS FOR"],
        &lines,
    ))
}

fn line(row: &Row) -> [String; 5] {
    let waits_for = match row.due_at {
        _ if row.parked => "a decision".to_owned(),
        Some(due_at) => format!("news, until {}", instant(due_at)),
        None => "its sender".to_owned(),
    };
    [
        row.message_id.to_string(),
        row.lab_id.to_string(),
        instant(row.since),
        row.resends.to_string(),
        waits_for,
    ]
}

pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

async fn resolve(config: &DatabaseConfig, options: Resolve) -> anyhow::Result<()> {
    let id = options.message_id;
    let fate = match (options.fate, options.wamid) {
        (Known::Sent, wamid) => Fate::Sent { wamid },
        (Known::NotSent, None) => Fate::NotSent,
        (Known::NotSent, Some(_)) => bail!("what was not sent has no id of the provider's"),
    };
    let database = config.connect()?;
    let mut tx = database.begin().await?;
    let now = database.clock().now();
    let resolution = match convergence::resolve(&mut tx, id, fate, Decider::Operator, now).await {
        Err(error) if error.constraint() == Some("message_state_wamid_key") => {
            bail!("this is the provider's id of another message")
        }
        resolution => resolution?,
    };
    match resolution {
        Resolution::Resolved => tx.commit().await.context("commit")?,
        Resolution::Unknown => bail!("there is no message {id}"),
        Resolution::NotInDoubt(state) => bail!("{id} is not unconfirmed, it is {state}"),
        Resolution::InHand => {
            bail!("a sender has {id} in hand and may be sending it: look again in a moment")
        }
    }
    say(match options.fate {
        Known::Sent => "it counts as sent",
        Known::NotSent => "it is sent anew",
    })
}
