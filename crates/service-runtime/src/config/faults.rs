use std::fmt;

use super::{ConfigValue, Setting};

/// One thing wrong with the configuration. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything wrong with the configuration, in the order of declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Adds a fault that only the service can see, such as two settings that contradict each other.
    pub fn add(&mut self, message: impl Into<String>) {
        let fault = Fault(message.into());
        // A section that two services share is read twice, its faults are told once.
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    pub(super) fn missing(&mut self, setting: &Setting) {
        self.add(format!("missing {}: {}", setting.env(), setting.doc.trim()));
    }

    pub(super) fn invalid<T: ConfigValue>(&mut self, setting: &Setting, text: &str, origin: &str) {
        let name = setting.env();
        let expected = T::EXPECTED;
        let got = if T::QUOTABLE {
            format!("`{text}`")
        } else {
            "something else".to_owned()
        };
        self.add(format!(
            "{name}: expected {expected}, got {got} (from {origin})"
        ));
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
