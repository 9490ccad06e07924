use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, Subcommand};
use convergence::{Replayed, discard, replay, replay_matching};
use domain::{
    CallbackDeliveryId, Clock as _, Decider, DiscardReason, MessageId, TenantId, WorkId, WorkKind,
};
use serde::Serialize;
use storage::{
    Connection, Database,
    callbacks::find_last_attempt,
    messages::{TimelineEntry, list_timeline},
    work::{DeadLetter, DeadLetterFilter, find_dead_letters, list_dead_letters},
};

use super::{DatabaseConfig, say, say_json, table::table, unconfirmed::instant};

/// Work that was given up.
#[derive(Subcommand)]
pub(crate) enum DeadLetters {
    /// List dead letters, the latest first.
    List(List),
    /// Show one, and what is known of its message or callback.
    Show(Show),
    /// Try some again: those named, or those that a filter finds.
    Replay(Replay),
    /// Let one go.
    Discard(Discard),
}

#[derive(Args)]
pub(crate) struct List {
    /// Only those of this kind: send, event or callback.
    #[arg(long)]
    kind: Option<WorkKind>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Show {
    /// The dead letter's id.
    id: WorkId,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(group = ArgGroup::new("which").args(["ids", "kind"]).required(true))]
pub(crate) struct Replay {
    /// Dead letters' ids.
    #[arg(value_name = "ID")]
    ids: Vec<WorkId>,
    /// Those of this kind: send, event or callback.
    #[arg(long)]
    kind: Option<WorkKind>,
    /// Of these, those whose reason contains this.
    #[arg(long, value_name = "TEXT", requires = "kind")]
    reason: Option<String>,
    /// Of these, those given up before this instant, such as 2026-11-21T09:30:00Z.
    #[arg(long, value_name = "INSTANT", requires = "kind")]
    before: Option<DateTime<Utc>>,
    /// However many there are; else a thousand at most.
    #[arg(long, requires = "kind")]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Discard {
    /// The dead letter's id.
    id: WorkId,
    /// Why, in words that name no patient. It is kept.
    #[arg(long, value_name = "TEXT")]
    reason: DiscardReason,
}

#[derive(Serialize)]
struct Row {
    id: WorkId,
    kind: WorkKind,
    lab_id: Option<TenantId>,
    message_id: Option<MessageId>,
    reason: String,
    attempts: i32,
    created_at: DateTime<Utc>,
    died_at: DateTime<Utc>,
}

impl From<&DeadLetter> for Row {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id,
            kind: letter.kind,
            lab_id: letter.tenant_id,
            message_id: letter.message_id,
            reason: letter.reason.clone(),
            attempts: letter.attempt,
            created_at: letter.created_at,
            died_at: letter.died_at,
        }
    }
}

#[derive(Serialize)]
struct Detailed {
    #[serde(flatten)]
    row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    at: DateTime<Utc>,
    kind: String,
    detail: serde_json::Value,
}

impl From<TimelineEntry> for Entry {
    fn from(entry: TimelineEntry) -> Self {
        Self {
            at: entry.at,
            kind: entry.kind,
            detail: entry.detail,
        }
    }
}

pub(crate) async fn run(config: &DatabaseConfig, command: DeadLetters) -> anyhow::Result<()> {
    match command {
        DeadLetters::List(options) => list(config, &options).await,
        DeadLetters::Show(options) => show(config, &options).await,
        DeadLetters::Replay(options) => replay_some(config, &options).await,
        DeadLetters::Discard(options) => discard_one(config, &options).await,
    }
}

async fn list(config: &DatabaseConfig, options: &List) -> anyhow::Result<()> {
    let filter = DeadLetterFilter {
        kind: options.kind,
        ..DeadLetterFilter::default()
    };
    let mut connection = config.connect()?.acquire().await?;
    let letters = list_dead_letters(&mut connection, &filter, None, options.limit).await?;
    let rows: Vec<Row> = letters.iter().map(Row::from).collect();
    if options.json {
        return say_json(&rows);
    }
    let lines: Vec<[String; 5]> = rows.iter().map(line).collect();
    say(&table(["ID", "KIND", "DIED", "ATTEMPTS", "REASON"], &lines))
}

fn line(row: &Row) -> [String; 5] {
    [
        row.id.to_string(),
        row.kind.to_string(),
        instant(row.died_at),
        row.attempts.to_string(),
        row.reason.clone(),
    ]
}

async fn show(config: &DatabaseConfig, options: &Show) -> anyhow::Result<()> {
    let mut connection = config.connect()?.acquire().await?;
    let letter = find(&mut connection, options.id).await?;
    let mut shown = Detailed {
        row: Row::from(&letter),
        timeline: None,
        last_status: None,
        last_error: None,
    };
    if let (WorkKind::Send, Some(message)) = (letter.kind, letter.message_id) {
        let timeline = list_timeline(&mut connection, message).await?;
        shown.timeline = Some(timeline.into_iter().map(Entry::from).collect());
    }
    if letter.kind == WorkKind::Callback {
        let id = CallbackDeliveryId::from_uuid(letter.subject);
        let last = find_last_attempt(&mut connection, id).await?;
        shown.last_status = last.as_ref().and_then(|last| last.status);
        shown.last_error = last.and_then(|last| last.error);
    }
    if options.json {
        return say_json(&shown);
    }
    say(&paragraph(&shown))
}

fn paragraph(shown: &Detailed) -> String {
    let row = &shown.row;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![
        format!("{}  {}", row.id, row.kind),
        format!(
            "lab:       {}",
            or_none(row.lab_id.map(|id| id.to_string()))
        ),
        format!(
            "message:   {}",
            or_none(row.message_id.map(|id| id.to_string()))
        ),
        format!("reason:    {}", row.reason),
        format!("attempts:  {}", row.attempts),
        format!("created:   {}", instant(row.created_at)),
        format!("died:      {}", instant(row.died_at)),
    ];
    if row.kind == WorkKind::Callback {
        let status = shown.last_status.map(|status| status.to_string());
        lines.push(format!("answered:  {}", or_none(status)));
        lines.push(format!("error:     {}", or_none(shown.last_error.clone())));
    }
    for entry in shown.timeline.iter().flatten() {
        let Entry { at, kind, detail } = entry;
        lines.push(format!("{}  {kind}  {detail}", instant(*at)));
    }
    lines.join("\n")
}

async fn find(connection: &mut Connection, id: WorkId) -> anyhow::Result<DeadLetter> {
    let found = find_dead_letters(connection, &[id]).await?.pop();
    found.with_context(|| format!("there is no dead letter {id}"))
}

async fn replay_some(config: &DatabaseConfig, options: &Replay) -> anyhow::Result<()> {
    let database = config.connect()?;
    if !options.ids.is_empty() {
        let replayed = replay_named(&database, &options.ids).await?;
        return tell(replayed, false, options.json);
    }
    drop(database.acquire().await?);
    let start = database.clock().now();
    let filter = DeadLetterFilter {
        kind: options.kind,
        reason: options.reason.clone(),
        // What dies again meanwhile is not tried again and again.
        died_before: Some(options.before.unwrap_or(start)),
        ..DeadLetterFilter::default()
    };
    let mut total = Replayed::default();
    // Each thousand commits alone: nobody waits for the rest of them.
    loop {
        let mut tx = database.begin().await?;
        let now = database.clock().now();
        let (some, has_more) = replay_matching(&mut tx, &filter, Decider::Operator, now).await?;
        tx.commit().await.context("commit")?;
        total.replayed += some.replayed;
        total.settled += some.settled;
        if !(has_more && options.all) {
            return tell(total, has_more, options.json);
        }
    }
}

async fn replay_named(database: &Database, ids: &[WorkId]) -> anyhow::Result<Replayed> {
    let mut tx = database.begin().await?;
    let letters = find_dead_letters(&mut tx, ids).await?;
    let unknown = |id: &&WorkId| letters.iter().all(|letter| letter.id != **id);
    let unknown: Vec<String> = ids
        .iter()
        .filter(unknown)
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        bail!("there is no dead letter {}", unknown.join(", "));
    }
    let replayed = replay(&mut tx, letters, Decider::Operator, database.clock().now()).await?;
    tx.commit().await.context("commit")?;
    Ok(replayed)
}

fn tell(total: Replayed, has_more: bool, json: bool) -> anyhow::Result<()> {
    let Replayed { replayed, settled } = total;
    if json {
        return say_json(&serde_json::json!({
            "replayed": replayed, "settled": settled, "has_more": has_more,
        }));
    }
    let settled = match settled {
        0 => String::new(),
        settled => format!("; {settled} were settled already and are let go"),
    };
    let more = if has_more { "; there are more" } else { "" };
    say(&format!("replayed {replayed}{settled}{more}"))
}

async fn discard_one(config: &DatabaseConfig, options: &Discard) -> anyhow::Result<()> {
    let database = config.connect()?;
    let mut tx = database.begin().await?;
    let letter = find(&mut tx, options.id).await?;
    let now = database.clock().now();
    if !discard(&mut tx, letter, &options.reason, Decider::Operator, now).await? {
        bail!("there is no dead letter {}", options.id);
    }
    tx.commit().await.context("commit")?;
    say("discarded")
}
