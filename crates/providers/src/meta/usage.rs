use std::{collections::BTreeMap, time::Duration};

use reqwest::header::HeaderMap;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{AccountLoad, Load, Usage};

#[derive(Deserialize)]
struct AppUsage {
    #[serde(default)]
    call_count: f64,
    #[serde(default)]
    total_cputime: f64,
    #[serde(default)]
    total_time: f64,
}

#[derive(Deserialize)]
struct AccountUsage {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(flatten)]
    load: AppUsage,
    #[serde(default)]
    estimated_time_to_regain_access: f64,
}

/// What the usage headers say. They are hints: one that cannot be read says nothing.
pub(super) fn in_headers(headers: &HeaderMap) -> Usage {
    let accounts: BTreeMap<String, Vec<AccountUsage>> =
        json(headers, "x-business-use-case-usage").unwrap_or_default();
    Usage {
        app: json::<AppUsage>(headers, "x-app-usage").map(|app| load(&app)),
        accounts: accounts
            .into_iter()
            .flat_map(|(id, usages)| usages.into_iter().map(move |usage| account(&id, usage)))
            .collect(),
    }
}

fn json<T: DeserializeOwned>(headers: &HeaderMap, name: &str) -> Option<T> {
    serde_json::from_slice(headers.get(name)?.as_bytes()).ok()
}

fn account(id: &str, usage: AccountUsage) -> AccountLoad {
    let minutes = whole(usage.estimated_time_to_regain_access);
    AccountLoad {
        account_id: id.to_owned(),
        load: load(&usage.load),
        kind: usage.kind,
        regain_access: (minutes > 0).then(|| Duration::from_mins(minutes.into())),
    }
}

fn load(usage: &AppUsage) -> Load {
    Load {
        calls_percent: whole(usage.call_count),
        cpu_percent: whole(usage.total_cputime),
        time_percent: whole(usage.total_time),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "percentages and minutes; a cast from float saturates"
)]
fn whole(number: f64) -> u32 {
    number.ceil() as u32
}
