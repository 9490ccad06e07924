use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use config::{ConfigError, Environment, File, FileFormat, Map, Source as _, Value, ValueKind};

use super::{ConfigValue, Faults, Setting, SettingDefault};

const PREFIX: &str = "LABWIRE";
const ENVIRONMENT: &str = "the environment";

/// The settings cannot be had at all. Holds no value: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the configuration file {} is not TOML: {reason}", path.display())]
    NotToml { path: PathBuf, reason: String },
    #[error("a variable whose name starts with LABWIRE_ is not UTF-8")]
    NotUnicode,
}

#[derive(Clone)]
struct Entry {
    text: String,
    origin: String,
}

/// Where settings come from: the environment first, then a TOML file. What neither names has its default.
#[derive(Clone, Default)]
pub struct Source {
    entries: BTreeMap<String, Entry>,
}

// Values may be secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl Source {
    /// `LABWIRE_<SECTION>__<KEY>` over `[section] key = ..` in the file.
    pub fn from_env_and_file(file: Option<&Path>) -> Result<Self, SourceError> {
        let mut source = Self::default();
        if let Some(path) = file {
            source.overlay_file(path)?;
        }
        source.overlay_environment(None)?;
        Ok(source)
    }

    /// As if these were the environment: for tests and for a process that composes services.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::default().with_pairs(pairs)
    }

    /// The same with these laid over it.
    #[must_use]
    pub fn with_pairs<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.overlay_environment(Some(pairs))
            .expect("strings are UTF-8");
        self
    }

    /// The value of one setting. Adds a fault and answers `None` if it is missing or wrong.
    pub fn read<T: ConfigValue>(&self, setting: &Setting, faults: &mut Faults) -> Option<T> {
        let entry = self.entries.get(&setting.key());
        let (text, origin) = match (entry, setting.default) {
            (Some(entry), _) => (entry.text.as_str(), entry.origin.as_str()),
            (None, SettingDefault::Value(default)) => (default, "the default"),
            (None, SettingDefault::Required | SettingDefault::Optional) => {
                let absent = T::absent();
                if absent.is_none() {
                    faults.missing(setting);
                }
                return absent;
            }
        };
        let value = T::parse(text.trim());
        if value.is_none() {
            faults.invalid::<T>(setting, text, origin);
        }
        value
    }

    /// What is set but known to none of `settings`.
    pub fn unknown(&self, settings: &[Setting]) -> Vec<Unknown> {
        let known: BTreeSet<String> = settings.iter().map(Setting::key).collect();
        let strangers = self.entries.iter().filter(|(key, _)| !known.contains(*key));
        strangers
            .map(|(key, entry)| Unknown {
                name: env_name(key),
                origin: entry.origin.clone(),
                meant: nearest(key, &known).map(|key| env_name(key)),
            })
            // Kubernetes sets LABWIRE_API_PORT and its like for a service called labwire-api: no section, no warning.
            .filter(|unknown| unknown.meant.is_some() || unknown.name.contains("__"))
            .collect()
    }

    fn overlay_file(&mut self, path: &Path) -> Result<(), SourceError> {
        let text = std::fs::read_to_string(path).map_err(|source| SourceError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let root = File::from_str(&text, FileFormat::Toml)
            .collect()
            .map_err(|error| SourceError::NotToml {
                path: path.to_owned(),
                reason: without_quotes(&error),
            })?;
        self.flatten("", root, &path.display().to_string());
        Ok(())
    }

    fn overlay_environment(
        &mut self,
        pairs: Option<Map<String, String>>,
    ) -> Result<(), SourceError> {
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator("__")
            // `LABWIRE_X__Y=` in a compose file means "not set".
            .ignore_empty(true)
            .source(pairs);
        // The cause quotes the value.
        let variables = environment.collect().map_err(|_| SourceError::NotUnicode)?;
        self.flatten("", variables, ENVIRONMENT);
        Ok(())
    }

    fn flatten(&mut self, path: &str, table: Map<String, Value>, origin: &str) {
        for (name, value) in table {
            let key = if path.is_empty() {
                name
            } else {
                format!("{path}.{name}")
            };
            if let ValueKind::Table(table) = value.kind {
                self.flatten(&key, table, origin);
            } else if let Ok(text) = value.into_string() {
                self.entries.insert(
                    key,
                    Entry {
                        text,
                        origin: origin.to_owned(),
                    },
                );
            }
        }
    }
}

/// A setting that nothing reads: most often a slip of the pen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    pub origin: String,
    pub meant: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown setting {} (from {})", self.name, self.origin)?;
        match &self.meant {
            Some(meant) => write!(f, ": did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

pub(super) fn env_name(key: &str) -> String {
    format!("{PREFIX}_{}", key.replace('.', "__").to_ascii_uppercase())
}

fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let distance = |candidate: &String| strsim::damerau_levenshtein(key, candidate);
    known
        .iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(far, _)| *far <= 3)
        .min()
        .map(|(_, candidate)| candidate)
}

fn without_quotes(error: &ConfigError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or("not TOML").trim().to_owned()
}
