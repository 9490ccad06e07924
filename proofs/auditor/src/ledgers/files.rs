use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
};

use serde::de::DeserializeOwned;

use super::{LedgerError, Ledgers, Posted, Rows, Run};
use crate::ids::LabId;

type Result<T> = std::result::Result<T, LedgerError>;

const PLAN: &str = "run.json";

/// Everything but the database.
pub(super) fn read(folder: &Path) -> Result<Ledgers> {
    let run = read_plan(folder)?;
    let labs: HashSet<LabId> = run.labs.iter().map(|lab| lab.lab_id).collect();
    let is_of_a_lab = |posted: &Posted| {
        if labs.contains(&posted.lab_id) {
            Ok(())
        } else {
            Err(format!("{PLAN} does not name {}", posted.lab_id))
        }
    };
    Ok(Ledgers {
        lims: read_lines(folder, "lims.ndjson", is_of_a_lab)?,
        provider: read_lines(folder, "provider.ndjson", |_| Ok(()))?,
        callbacks: read_lines(folder, "callbacks.ndjson", |_| Ok(()))?,
        operator: read_lines(folder, "operator.ndjson", |_| Ok(()))?,
        database: Rows::default(),
        run,
    })
}

fn read_plan(folder: &Path) -> Result<Run> {
    let text = std::fs::read_to_string(folder.join(PLAN))
        .map_err(|reason| LedgerError::File { file: PLAN, reason })?;
    let wrong = |line, reason| LedgerError::Line {
        file: PLAN,
        line,
        reason,
    };
    let run: Run =
        serde_json::from_str(&text).map_err(|error| wrong(error.line(), what(&error)))?;
    run.check().map_err(|reason| wrong(1, reason))?;
    Ok(run)
}

/// One value a line; empty lines are nothing.
fn read_lines<T: DeserializeOwned>(
    folder: &Path,
    file: &'static str,
    check: impl Fn(&T) -> std::result::Result<(), String>,
) -> Result<Vec<T>> {
    let unreadable = |reason| LedgerError::File { file, reason };
    let mut reader = BufReader::new(File::open(folder.join(file)).map_err(unreadable)?);
    let (mut values, mut text, mut line) = (Vec::new(), String::new(), 0);
    loop {
        text.clear();
        line += 1;
        let wrong = |reason| LedgerError::Line { file, line, reason };
        match reader.read_line(&mut text) {
            Ok(0) => return Ok(values),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(wrong(error.to_string()));
            }
            Err(error) => return Err(unreadable(error)),
        }
        if text.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&text).map_err(|error| wrong(what(&error)))?;
        check(&value).map_err(wrong)?;
        values.push(value);
    }
}

/// Without the place, which would be a second, other line number.
fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}
