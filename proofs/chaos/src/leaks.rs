use std::{
    fs::File,
    io::{BufRead as _, BufReader},
};

use anyhow::Context as _;

use crate::{
    traffic::{NAME, PHONE},
    world::World,
};

/// Of a phone with its country code.
const PHONE_DIGITS: usize = 12;
/// In every access token.
const TOKEN: &str = "token-of-lab-";

/// Lines of the services' logs that name a patient, a phone or a token.
pub(crate) fn find(world: &World) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for replica in world.platform.all_replicas() {
        let path = replica.log();
        let file = File::open(path).with_context(|| format!("no log: {}", path.display()))?;
        for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            if is_leak(&line) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    Ok(found)
}

fn is_leak(line: &str) -> bool {
    let mut numbers = line.split(|it: char| !it.is_ascii_digit());
    let country = PHONE.trim_start_matches('+');
    numbers.any(|it| it.len() == PHONE_DIGITS && it.starts_with(country))
        || [NAME, TOKEN].iter().any(|it| line.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_one_wherever_it_stands_and_an_instant_is_none() {
        for leak in [
            "to=+919800000042 failed",
            "{\"to\":\"919800000042\"}",
            "Qzxwvu Patient 7",
            "Bearer token-of-lab-3",
        ] {
            assert!(is_leak(leak), "{leak}");
        }
        assert!(!is_leak("2026-11-25T23:41:32.919808Z WARN lost the broker"));
    }
}
