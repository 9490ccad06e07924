//! Configuration: declared once with [`settings!`](crate::settings), read from defaults, a TOML file and the environment,
//! every fault reported at once, and described for the reference page. Knows no service's settings, only the sections
//! that services have in common.

mod byte_size;
mod faults;
mod macros;
mod reference;
mod sections;
mod source;
mod value;

pub use byte_size::ByteSize;
pub use faults::{Fault, Faults};
pub use reference::reference;
pub use sections::{
    AdminConfig, AmqpConfig, AttachmentsConfig, DrainConfig, EngineConfig, HttpConfig, LogFilter,
    LogFormat, PostgresConfig, RuntimeConfig, TelemetryConfig, VaultConfig,
};
pub use source::{Source, SourceError, Unknown};
pub use value::ConfigValue;

/// One setting, as the reference page and `--help` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub section: String,
    pub field: &'static str,
    pub kind: &'static str,
    pub default: SettingDefault,
    pub doc: &'static str,
}

impl Setting {
    /// The environment variable, such as `LABWIRE_POSTGRES__URL`.
    pub fn env(&self) -> String {
        source::env_name(&self.key())
    }

    /// The key in the TOML file, such as `postgres.url`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.field)
    }
}

/// What holds when a setting is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingDefault {
    /// There is no service without it.
    Required,
    /// Absent is a choice of its own.
    Optional,
    /// As it would be written in the environment.
    Value(&'static str),
}

/// A configuration: a section, or a struct of sections. Implemented by [`settings!`](crate::settings).
pub trait Settings: Sized {
    /// Reads everything there is, adding every fault. `None` when there was one.
    fn read(source: &Source, faults: &mut Faults) -> Option<Self>;

    /// Every setting in the order of declaration.
    fn describe() -> Vec<Setting>;

    /// Reads, or tells all that is wrong.
    fn from_source(source: &Source) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let settings = Self::read(source, &mut faults);
        settings.filter(|_| faults.is_empty()).ok_or(faults)
    }
}

/// One section, which can be mounted under a name other than its own.
pub trait Section: Sized {
    const NAME: &'static str;

    fn read_at(section: &str, source: &Source, faults: &mut Faults) -> Option<Self>;
    fn describe_at(section: &str) -> Vec<Setting>;
}

impl<T: Section> Settings for T {
    fn read(source: &Source, faults: &mut Faults) -> Option<Self> {
        Self::read_at(Self::NAME, source, faults)
    }

    fn describe() -> Vec<Setting> {
        Self::describe_at(Self::NAME)
    }
}
