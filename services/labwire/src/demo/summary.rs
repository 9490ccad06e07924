use std::{fs, path::Path};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{
    api::Entry,
    screen::Screen,
    stage::Stage,
    traffic::Posted,
    verdict::{LabVerdict, Verdict},
};

/// The table of labs and outcomes, and the life of one message.
pub(super) async fn show(
    stage: &Stage,
    verdict: &Verdict,
    posted: &[Posted],
    screen: &mut Screen,
) -> anyhow::Result<()> {
    screen.line("");
    for row in table(&verdict.labs) {
        screen.line(&row);
    }
    screen.line("");
    if let Some(chosen) = with_a_story(stage, verdict, posted)
        && let (Some(tenant), Some(id)) = (stage.labs.get(chosen.parcel.lab), chosen.message_id())
    {
        let status = stage.api.status(&tenant.key, id).await?;
        screen.line(&format!(
            "The life of {id}, of {} (the provider tells whole seconds):",
            tenant.lab.name
        ));
        for entry in &status.timeline {
            screen.line(&timeline_row(status.created_at, entry));
        }
        screen.line("");
    }
    for complaint in &verdict.complaints {
        screen.line(&format!("  wrong: {complaint}"));
    }
    Ok(())
}

/// A message that was lost, if there is one; else one that had to wait for its lab's new token.
fn with_a_story<'a>(stage: &Stage, verdict: &Verdict, posted: &'a [Posted]) -> Option<&'a Posted> {
    let is_lost = |it: &&Posted| {
        let id = it.message_id();
        id.is_some_and(|id| verdict.lost_ids.iter().any(|lost| lost == id))
    };
    let has_waited = |it: &&Posted| {
        let tenant = stage.labs.get(it.parcel.lab);
        tenant.is_some_and(|tenant| tenant.lab.token_expired) && it.message_id().is_some()
    };
    let mut candidates = posted.iter();
    let lost = candidates.find(is_lost);
    lost.or_else(|| posted.iter().find(has_waited))
}

const COLUMNS: [&str; 10] = [
    "limit",
    "busiest",
    "accepted",
    "refused",
    "sent",
    "delivered",
    "read",
    "failed",
    "waiting",
    "callbacks",
];

fn table(labs: &[LabVerdict]) -> Vec<String> {
    let width = labs.iter().map(|lab| lab.name.len()).max().unwrap_or(0);
    let row = |name: &str, cells: [String; COLUMNS.len()]| {
        let cells = cells.iter().zip(COLUMNS).map(|(cell, column)| {
            let width = column.len().max(6);
            format!("  {cell:>width$}")
        });
        format!("  {name:<width$}{}", cells.collect::<String>())
    };
    let mut rows = vec![row("", COLUMNS.map(str::to_owned))];
    rows.extend(labs.iter().map(|lab| {
        let cells = [
            format!("{}/s+{}", lab.rate_per_second, lab.burst),
            format!("{}/s", lab.busiest_second),
            lab.accepted.to_string(),
            lab.refused.to_string(),
            lab.sent.to_string(),
            lab.delivered.to_string(),
            lab.read.to_string(),
            lab.failed.to_string(),
            lab.waiting.to_string(),
            lab.callbacks_verified.to_string(),
        ];
        row(lab.name, cells)
    }));
    rows
}

fn timeline_row(start: DateTime<Utc>, entry: &Entry) -> String {
    let seconds = (entry.at - start).as_seconds_f64().max(0.0);
    let shown = ["result", "type", "status", "code", "reason"];
    let told = shown.iter().filter_map(|name| {
        let value = entry.detail.get(*name)?;
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    });
    let told: Vec<String> = told.collect();
    let row = format!("  +{seconds:7.3} s  {:<9} {}", entry.kind, told.join(", "));
    row.trim_end().to_owned()
}

/// Where to look while it is still up.
pub(super) fn show_around(
    stage: &Stage,
    posted: &[Posted],
    files: &Path,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let sample = files.join("sample-report.pdf");
    let tenant = stage.labs.first().context("no lab")?;
    let first = posted.first().context("no report")?;
    fs::write(&sample, first.parcel.pdf())?;
    let (phones, api) = (stage.simulator.base_url(), &stage.api.base);
    let (name, id, key) = (tenant.lab.name, &tenant.id, tenant.key.expose_secret());
    let lines = [
        format!("  the patients' phones   {phones}/"),
        format!("  the API                {api}"),
        format!("  {name}    {id}"),
        format!("  its key                {key}"),
        String::new(),
        "  Post a report yourself, and see it arrive:".to_owned(),
        String::new(),
        format!("    curl {api}/api/messages/send-report \\"),
        format!("      -H 'Authorization: Bearer {key}' \\"),
        "      -F patient_phone='98765 43210' -F patient_name='Asha Verma' -F test_name='Lipid Profile' \\".to_owned(),
        format!("      -F report_file=@{}", sample.display()),
        String::new(),
        "  Ctrl-C ends it.".to_owned(),
        String::new(),
    ];
    for line in lines {
        screen.line(&line);
    }
    Ok(())
}

/// The same as JSON.
pub(super) fn write(verdict: &Verdict, path: &Path) -> anyhow::Result<()> {
    let place = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let mut json = serde_json::to_string_pretty(verdict)?;
    json.push('\n');
    fs::write(path, json).with_context(place)
}
