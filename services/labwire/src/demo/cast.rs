use meta_simulator::{Business, Number, Recipient, Seed, Template, Token};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::reports::{Language, Panel, Person, people};

/// Reports that each lab posts.
pub(super) const REPORTS_PER_LAB: usize = 20;
pub(super) const APP_ID: &str = "100000000000001";
const TEMPLATE: &str = "report_ready";
const PARAMETERS: [&str; 3] = ["patient_name", "test_name", "lab_name"];
const LANGUAGES: [Language; 2] = [Language::English, Language::Hindi];

/// A fictional lab: what it says of itself when it registers, and what will go wrong.
pub(super) struct Lab {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) tagline: &'static str,
    pub(super) whatsapp_number: &'static str,
    pub(super) phone_number_id: &'static str,
    waba_id: &'static str,
    pub(super) rate_per_second: u32,
    pub(super) burst: u32,
    /// Its access token has run out; its operator notices when messages wait.
    pub(super) token_expired: bool,
    seed: u64,
}

pub(super) const LABS: [Lab; 3] = [
    Lab {
        slug: "sunrise",
        name: "Sunrise Diagnostics",
        tagline: "Every morning, on time",
        whatsapp_number: "+91 80 4718 2201",
        phone_number_id: "300000000000001",
        waba_id: "200000000000001",
        rate_per_second: 2,
        burst: 4,
        token_expired: false,
        seed: 11,
    },
    Lab {
        slug: "kaveri",
        name: "Kaveri Path Labs",
        tagline: "सटीक परिणाम, समय पर",
        whatsapp_number: "+91 80 4718 2202",
        phone_number_id: "300000000000002",
        waba_id: "200000000000002",
        rate_per_second: 5,
        burst: 5,
        token_expired: true,
        seed: 12,
    },
    Lab {
        slug: "himalaya",
        name: "Himalaya Health Checks",
        tagline: "Care at every height",
        whatsapp_number: "+91 11 4718 2203",
        phone_number_id: "300000000000003",
        waba_id: "200000000000003",
        rate_per_second: 20,
        burst: 8,
        token_expired: false,
        seed: 13,
    },
];

impl Lab {
    pub(super) fn token(&self) -> SecretString {
        SecretString::from(format!("{}-token", self.slug))
    }

    /// The token that the lab's operator gets from the provider when the first one is refused.
    pub(super) fn next_token(&self) -> SecretString {
        SecretString::from(format!("{}-token-renewed", self.slug))
    }

    /// The body of its registration, without the token.
    pub(super) fn registration(&self, callback_url: &str) -> Value {
        let templates: Vec<Value> = LANGUAGES
            .iter()
            .map(|language| {
                json!({ "name": TEMPLATE, "language": tag(*language), "parameters": PARAMETERS, "header": "document" })
            })
            .collect();
        json!({
            "lab_name": self.name,
            "contact_email": format!("desk@{}.example", self.slug),
            "whatsapp_number": self.whatsapp_number,
            "sender": {
                "phone_number_id": self.phone_number_id,
                "waba_id": self.waba_id,
                "rate_per_second": self.rate_per_second,
                "burst": self.burst,
            },
            "templates": templates,
            "callback": { "url": callback_url },
        })
    }

    /// Its patients, each with a report to come.
    pub(super) fn patients(&self) -> Vec<Patient> {
        let crowd = people(self.seed);
        let mut doctors = people(self.seed + 100);
        let patients = crowd.take(REPORTS_PER_LAB).enumerate();
        patients
            .filter_map(|(index, person)| {
                let language = if index % 3 == 1 {
                    Language::Hindi
                } else {
                    Language::English
                };
                Some(Patient {
                    index,
                    person,
                    doctor: doctors.next()?,
                    panel: *Panel::ALL.get(index % Panel::ALL.len())?,
                    language,
                    digits: format!("91987654{:02}{index:02}", self.seed),
                    fate: self.fate(index),
                })
            })
            .collect()
    }

    fn fate(&self, index: usize) -> Fate {
        match (self.slug, index) {
            ("sunrise", 7) => Fate::Refused,
            ("himalaya", 11) => Fate::Unreachable,
            _ => Fate::Read,
        }
    }
}

/// Someone whose report is sent.
pub(super) struct Patient {
    pub(super) index: usize,
    pub(super) person: Person,
    pub(super) doctor: Person,
    pub(super) panel: Panel,
    pub(super) language: Language,
    /// The mobile number with its country code, without plus.
    pub(super) digits: String,
    pub(super) fate: Fate,
}

/// What must become of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Read,
    /// The number in the LIMS is no phone number: the API refuses the report.
    Refused,
    /// The patient has no WhatsApp: the provider takes the message and fails it.
    Unreachable,
}

impl Patient {
    pub(super) fn name(&self) -> String {
        self.person.name(self.language)
    }

    /// The number as people write it.
    pub(super) fn written_phone(&self) -> String {
        if self.fate == Fate::Refused {
            return "98765-4".to_owned();
        }
        let national = self.digits.get(2..).unwrap_or_default();
        let (head, tail) = national.split_at_checked(5).unwrap_or((national, ""));
        match self.index % 4 {
            0 => format!("+91 {head} {tail}"),
            1 => national.to_owned(),
            2 => format!("0{head}-{tail}"),
            _ => format!("0091{national}"),
        }
    }

    fn recipient(&self) -> Recipient {
        let hesitation_ms = u64::try_from(self.index * 137 % 1100).unwrap_or_default();
        Recipient {
            name: Some(self.name()),
            on_whatsapp: self.fate != Fate::Unreachable,
            reads_after_ms: Some(400 + hesitation_ms),
            ..Recipient::new(format!("+{}", self.digits))
        }
    }
}

/// The language as the API and the provider spell it.
pub(super) fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Hindi => "hi",
    }
}

/// The provider's side of the labs: accounts, numbers, tokens, templates and people.
pub(super) fn provider_accounts() -> Seed {
    let mut seed = Seed::default();
    for lab in &LABS {
        seed.businesses.push(Business::new(lab.waba_id, APP_ID));
        let number = Number::new(lab.phone_number_id, lab.waba_id, lab.whatsapp_number);
        seed.numbers.push(Number {
            verified_name: lab.name.to_owned(),
            ..number
        });
        seed.tokens
            .push(Token::new(lab.token(), APP_ID).only(lab.waba_id));
        seed.templates
            .extend(LANGUAGES.iter().map(|language| template(lab, *language)));
        let known = lab
            .patients()
            .into_iter()
            .filter(|patient| patient.fate != Fate::Refused);
        seed.recipients
            .extend(known.map(|patient| patient.recipient()));
    }
    seed
}

/// A good token of a lab, for when the first one has run out.
pub(super) fn renewed_token(lab: &Lab) -> Token {
    Token::new(lab.next_token(), APP_ID).only(lab.waba_id)
}

fn template(lab: &Lab, language: Language) -> Template {
    let (body, footer) = match language {
        Language::English => (
            "Hello {{patient_name}}, your *{{test_name}}* report from {{lab_name}} is ready. Please find it attached.",
            "Reply STOP to opt out",
        ),
        Language::Hindi => (
            "नमस्ते {{patient_name}}, {{lab_name}} से आपकी *{{test_name}}* रिपोर्ट तैयार है। कृपया संलग्न फ़ाइल देखें।",
            "संदेश बंद करने के लिए STOP लिखें",
        ),
    };
    Template {
        id: None,
        waba_id: lab.waba_id.to_owned(),
        name: TEMPLATE.to_owned(),
        language: tag(language).to_owned(),
        category: "UTILITY".to_owned(),
        status: "APPROVED".to_owned(),
        parameter_format: "NAMED".to_owned(),
        components: vec![
            json!({ "type": "HEADER", "format": "DOCUMENT" }),
            json!({ "type": "BODY", "text": body }),
            json!({ "type": "FOOTER", "text": footer }),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use domain::{PhoneNumber, Region};

    use super::*;

    #[test]
    fn every_patient_has_a_number_of_their_own_however_it_is_written() {
        let patients: Vec<Patient> = LABS.iter().flat_map(Lab::patients).collect();
        assert_eq!(patients.len(), LABS.len() * REPORTS_PER_LAB);
        let mut seen = HashSet::new();
        for patient in patients {
            let phone = PhoneNumber::parse(&patient.written_phone(), Region::default());
            if patient.fate == Fate::Refused {
                assert!(phone.is_err());
            } else {
                assert_eq!(phone.unwrap().digits(), patient.digits);
                assert!(seen.insert(patient.digits));
            }
        }
    }

    #[test]
    fn the_story_has_each_fate_and_both_languages() {
        let patients: Vec<Patient> = LABS.iter().flat_map(Lab::patients).collect();
        let count = |fate| patients.iter().filter(|it| it.fate == fate).count();
        assert_eq!(
            (count(Fate::Refused), count(Fate::Unreachable)),
            (1, 1),
            "one of each"
        );
        let hindi = patients.iter().filter(|it| it.language == Language::Hindi);
        assert!((10..50).contains(&hindi.count()));
        assert_eq!(LABS.iter().filter(|lab| lab.token_expired).count(), 1);
    }
}
