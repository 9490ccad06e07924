use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything a simulator knows at its start. The same shapes are accepted by the control API, one by one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    pub apps: Vec<App>,
    pub businesses: Vec<Business>,
    pub numbers: Vec<Number>,
    pub tokens: Vec<Token>,
    pub templates: Vec<Template>,
    pub recipients: Vec<Recipient>,
}

impl Seed {
    /// One laboratory with a number, a token, templates and patients: what `seeds/sample.json` says.
    pub fn sample() -> Self {
        serde_json::from_str(include_str!("../seeds/sample.json"))
            .expect("a test reads the sample seed")
    }
}

/// A Meta app: its secret signs the webhooks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub app_id: String,
    pub app_secret: SecretString,
    #[serde(default)]
    pub callback_url: Option<String>,
    #[serde(default)]
    pub verify_token: Option<SecretString>,
}

impl App {
    pub fn new(app_id: impl Into<String>, app_secret: impl Into<SecretString>) -> Self {
        Self {
            app_id: app_id.into(),
            app_secret: app_secret.into(),
            callback_url: None,
            verify_token: None,
        }
    }

    /// Webhooks go to `url`, without asking it first.
    #[must_use]
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback_url = Some(url.into());
        self
    }
}

/// A WhatsApp Business account (WABA).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Business {
    pub waba_id: String,
    #[serde(default)]
    pub name: String,
    /// The portfolio that owns it: user ids are scoped to it, and so is the messaging limit.
    #[serde(default)]
    pub portfolio_id: Option<String>,
    /// Apps that get its webhooks.
    #[serde(default)]
    pub subscribed_apps: Vec<String>,
    /// Unique users outside the 24-hour window in 24 hours; none is unlimited.
    #[serde(default)]
    pub messaging_limit: Option<u32>,
}

impl Business {
    pub fn new(waba_id: impl Into<String>, app_id: impl Into<String>) -> Self {
        let waba_id = waba_id.into();
        Self {
            name: format!("Business {waba_id}"),
            waba_id,
            portfolio_id: None,
            subscribed_apps: vec![app_id.into()],
            messaging_limit: None,
        }
    }
}

/// A business phone number.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    pub phone_number_id: String,
    pub waba_id: String,
    pub display_phone_number: String,
    #[serde(default)]
    pub verified_name: String,
    /// Messages a second, in and out.
    #[serde(default = "default_throughput")]
    pub throughput: u32,
    #[serde(default)]
    pub state: NumberState,
    /// The two-step verification PIN that `register` must repeat.
    #[serde(default, skip_serializing)]
    pub pin: Option<SecretString>,
}

fn default_throughput() -> u32 {
    80
}

impl Number {
    pub fn new(
        phone_number_id: impl Into<String>,
        waba_id: impl Into<String>,
        display_phone_number: impl Into<String>,
    ) -> Self {
        Self {
            phone_number_id: phone_number_id.into(),
            waba_id: waba_id.into(),
            display_phone_number: display_phone_number.into(),
            verified_name: String::new(),
            throughput: default_throughput(),
            state: NumberState::default(),
            pin: None,
        }
    }

    #[must_use]
    pub fn throughput(mut self, messages_per_second: u32) -> Self {
        self.throughput = messages_per_second;
        self
    }
}

/// What is the matter with a number, and so how its sends are refused.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberState {
    #[default]
    Connected,
    Unregistered,
    Locked,
    PaymentProblem,
    Maintenance,
    Restricted,
}

impl NumberState {
    pub(crate) fn refusal(self) -> Option<u32> {
        match self {
            Self::Connected => None,
            Self::Unregistered => Some(133_010),
            Self::Locked => Some(131_031),
            Self::PaymentProblem => Some(131_042),
            Self::Maintenance => Some(131_057),
            Self::Restricted => Some(368),
        }
    }
}

/// An access token of a system user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub token: SecretString,
    pub app_id: String,
    /// The accounts it reaches; empty is all of them.
    #[serde(default)]
    pub waba_ids: Vec<String>,
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

fn default_scopes() -> Vec<String> {
    [MESSAGING, MANAGEMENT].map(String::from).to_vec()
}

pub(crate) const MESSAGING: &str = "whatsapp_business_messaging";
pub(crate) const MANAGEMENT: &str = "whatsapp_business_management";

impl Token {
    pub fn new(token: impl Into<SecretString>, app_id: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            app_id: app_id.into(),
            waba_ids: Vec::new(),
            scopes: default_scopes(),
            expires_at: None,
        }
    }

    /// Limits the token to one account.
    #[must_use]
    pub fn only(mut self, waba_id: impl Into<String>) -> Self {
        self.waba_ids.push(waba_id.into());
        self
    }
}

/// A message template in one language.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    #[serde(default)]
    pub id: Option<String>,
    pub waba_id: String,
    pub name: String,
    pub language: String,
    #[serde(default = "default_category")]
    pub category: String,
    #[serde(default = "default_status")]
    pub status: String,
    #[serde(default = "default_format")]
    pub parameter_format: String,
    pub components: Vec<Value>,
}

impl Template {
    /// An approved utility template with positional parameters.
    pub fn new(
        waba_id: impl Into<String>,
        name: impl Into<String>,
        language: impl Into<String>,
        components: Vec<Value>,
    ) -> Self {
        Self {
            id: None,
            waba_id: waba_id.into(),
            name: name.into(),
            language: language.into(),
            category: default_category(),
            status: default_status(),
            parameter_format: default_format(),
            components,
        }
    }

    /// Its parameters have names.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.parameter_format = "NAMED".into();
        self
    }
}

fn default_category() -> String {
    "UTILITY".into()
}

fn default_status() -> String {
    "APPROVED".into()
}

fn default_format() -> String {
    "POSITIONAL".into()
}

/// A person on the other side. Phones that were never described are ordinary WhatsApp users.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    pub phone: String,
    #[serde(default)]
    pub name: Option<String>,
    /// A username hides the phone from businesses the person did not hear from.
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default = "yes")]
    pub on_whatsapp: bool,
    /// Blocked the business: messages stay `sent` for ever.
    #[serde(default)]
    pub blocked: bool,
    /// Reads without opening the chat on the phone page.
    #[serde(default = "yes")]
    pub auto_read: bool,
    /// Reads so long after the send; the simulator's timing otherwise.
    #[serde(default)]
    pub reads_after_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

impl Recipient {
    pub fn new(phone: impl Into<String>) -> Self {
        Self {
            phone: phone.into(),
            name: None,
            username: None,
            on_whatsapp: true,
            blocked: false,
            auto_read: true,
            reads_after_ms: None,
        }
    }
}
