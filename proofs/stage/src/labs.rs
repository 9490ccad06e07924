use meta_simulator::{App, Business, Number, Seed, Template, Token};
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const APP_ID: &str = "100000000000001";
pub(crate) const APP_KEY: &str = "main";
const TEMPLATE: &str = "report_ready";
const TEXT: &str = "Hello {{patient_name}}, your {{test_name}} report from {{lab_name}} is ready. Please find it attached.";
/// Of reports without a file.
const NOTE_TEMPLATE: &str = "report_note";
const NOTE: &str = "Hello {{patient_name}}, your {{test_name}} report from {{lab_name}} is ready.";
const PARAMETERS: [&str; 3] = ["patient_name", "test_name", "lab_name"];
/// Numbers that share a WhatsApp Business account.
const NUMBERS_PER_ACCOUNT: usize = 4;

/// What becomes of a send of which nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Park,
    Resend,
}

impl Policy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::Resend => "resend",
        }
    }
}

/// A lab as it is about to register.
#[derive(Clone, Debug)]
pub struct Lab {
    pub index: usize,
    pub rate_per_second: u32,
    pub burst: u32,
    pub policy: Policy,
}

impl Lab {
    pub fn phone_number_id(&self) -> String {
        format!("3{:014}", self.index + 1)
    }

    pub fn waba_id(&self) -> String {
        waba_id(self.index / NUMBERS_PER_ACCOUNT)
    }

    pub fn display_phone_number(&self) -> String {
        format!("+9180{:08}", 47_182_200 + self.index)
    }

    pub fn token(&self) -> SecretString {
        SecretString::from(format!("token-of-lab-{}", self.index))
    }

    pub(crate) fn registration(&self, callback_url: &str) -> Value {
        json!({
            "lab_name": format!("Laboratory {}", self.index),
            "contact_email": format!("desk@lab-{}.example", self.index),
            "whatsapp_number": self.display_phone_number(),
            "unconfirmed_policy": self.policy.as_str(),
            "sender": {
                "phone_number_id": self.phone_number_id(),
                "waba_id": self.waba_id(),
                "access_token": secrecy::ExposeSecret::expose_secret(&self.token()),
                "rate_per_second": self.rate_per_second,
                "burst": self.burst,
            },
            "templates": [
                { "name": TEMPLATE, "language": "en_US", "parameters": PARAMETERS, "header": "document" },
                { "name": NOTE_TEMPLATE, "language": "en_US", "parameters": PARAMETERS, "header": "none" },
            ],
            "callback": { "url": callback_url },
        })
    }
}

fn waba_id(account: usize) -> String {
    format!("2{:014}", account + 1)
}

/// All labs, and the provider's side of them.
#[derive(Clone, Debug)]
pub struct Labs(pub Vec<Lab>);

impl Labs {
    pub(crate) fn accounts(&self, app_secret: &SecretString) -> Seed {
        let mut seed = Seed::default();
        seed.apps.push(App::new(APP_ID, app_secret.clone()));
        for account in 0..self.0.len().div_ceil(NUMBERS_PER_ACCOUNT) {
            let waba_id = waba_id(account);
            seed.businesses.push(Business::new(&*waba_id, APP_ID));
            seed.templates.extend(templates(&waba_id));
        }
        for lab in &self.0 {
            let (id, waba_id) = (lab.phone_number_id(), lab.waba_id());
            let number = Number::new(id, &*waba_id, lab.display_phone_number());
            // The provider's own limit stays out of the way: what is to be proven is ours.
            seed.numbers.push(number.throughput(1000));
            seed.tokens
                .push(Token::new(lab.token(), APP_ID).only(waba_id));
        }
        seed
    }
}

fn templates(waba_id: &str) -> [Template; 2] {
    let header = json!({ "type": "HEADER", "format": "DOCUMENT" });
    let body = |text: &str| json!({ "type": "BODY", "text": text });
    let template = |name: &str, components: Vec<Value>| {
        Template::new(waba_id, name, "en_US", components).named()
    };
    [
        template(TEMPLATE, vec![header, body(TEXT)]),
        template(NOTE_TEMPLATE, vec![body(NOTE)]),
    ]
}
