use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use domain::{
    InvalidPhoneNumber, Language, PhoneNumber, Region, TenantId, UnconfirmedPolicy, VendorId,
    text::Variable,
};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use storage::tenants::Tenant;
use web::Problem;

use crate::{callback_url, error::invalid};

const NAME_CHARACTERS: usize = 200;
const EMAIL_CHARACTERS: usize = 254;
const TOKEN_CHARACTERS: usize = 4096;
const MAX_TEMPLATES: usize = 100;
const MAX_PARAMETERS: usize = 20;
/// The provider's ids are numbers of some fifteen digits.
const PROVIDER_ID_DIGITS: usize = 32;
/// What a number is granted at first (Cloud API, throughput).
const DEFAULT_RATE: f64 = 80.0;
const DEFAULT_BURST: i32 = 20;
const MAX_RATE: f64 = 1000.0;
const MAX_BURST: i32 = 1000;

/// The body of a registration as it came.
#[derive(Deserialize)]
pub(crate) struct Request {
    lab_name: String,
    contact_email: String,
    whatsapp_number: String,
    region: Option<String>,
    language: Option<String>,
    unconfirmed_policy: Option<String>,
    sender: Option<SenderRequest>,
    templates: Option<Vec<NewTemplate>>,
    callback: Option<CallbackRequest>,
}

#[derive(Deserialize)]
struct SenderRequest {
    phone_number_id: String,
    waba_id: String,
    access_token: SecretString,
    rate_per_second: Option<f64>,
    burst: Option<i32>,
}

#[derive(Deserialize)]
struct CallbackRequest {
    url: String,
}

/// What a new lab will be.
pub(crate) struct Registration {
    name: String,
    contact_email: String,
    pub(crate) whatsapp_number: String,
    region: Region,
    language: Language,
    unconfirmed_policy: UnconfirmedPolicy,
    pub(crate) sender: Option<Sender>,
    pub(crate) templates: Vec<NewTemplate>,
    pub(crate) callback_url: Option<String>,
}

/// The number that a lab will send from.
pub(crate) struct Sender {
    pub(crate) phone_number_id: String,
    pub(crate) waba_id: String,
    pub(crate) access_token: SecretString,
    pub(crate) rate_per_second: f64,
    pub(crate) burst: i32,
}

/// A template that the provider has approved.
#[derive(Deserialize)]
pub(crate) struct NewTemplate {
    pub(crate) name: String,
    pub(crate) language: String,
    #[serde(default)]
    pub(crate) parameters: Vec<String>,
    #[serde(default)]
    pub(crate) header: Header,
}

/// What a template shows above its text.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Header {
    Document,
    Image,
    #[default]
    None,
}

impl Header {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Image => "image",
            Self::None => "none",
        }
    }
}

impl Registration {
    pub(crate) fn check(request: Request, allow_loopback: bool) -> Result<Self, Problem> {
        let region = named("/region", request.region)?.unwrap_or_default();
        let templates = request.templates.unwrap_or_default();
        check_templates(&templates)?;
        let callback_url = request
            .callback
            .map(|callback| callback_url::parse(&callback.url, allow_loopback))
            .transpose()
            .map_err(|detail| invalid("/callback/url", detail))?;
        Ok(Self {
            name: line("/lab_name", &request.lab_name, NAME_CHARACTERS)?,
            contact_email: email(&request.contact_email)?,
            whatsapp_number: whatsapp_number(&request.whatsapp_number, region)?,
            region,
            language: named("/language", request.language)?.unwrap_or_default(),
            unconfirmed_policy: named("/unconfirmed_policy", request.unconfirmed_policy)?
                .unwrap_or_default(),
            sender: request.sender.map(Sender::check).transpose()?,
            templates,
            callback_url: callback_url.map(String::from),
        })
    }

    pub(crate) fn tenant(&self, id: TenantId, vendor: VendorId, now: DateTime<Utc>) -> Tenant {
        Tenant {
            id,
            vendor_id: vendor,
            name: self.name.clone(),
            contact_email: self.contact_email.clone(),
            region: self.region,
            language: self.language,
            unconfirmed_policy: self.unconfirmed_policy,
            created_at: now,
        }
    }
}

impl Sender {
    fn check(request: SenderRequest) -> Result<Self, Problem> {
        let rate_per_second = request.rate_per_second.unwrap_or(DEFAULT_RATE);
        if !(rate_per_second > 0.0 && rate_per_second <= MAX_RATE) {
            let detail = format!("expected a number above 0 and at most {MAX_RATE}");
            return Err(invalid("/sender/rate_per_second", detail));
        }
        let burst = request.burst.unwrap_or(DEFAULT_BURST);
        if !(1..=MAX_BURST).contains(&burst) {
            let detail = format!("expected a whole number from 1 to {MAX_BURST}");
            return Err(invalid("/sender/burst", detail));
        }
        check_token("/sender/access_token", &request.access_token)?;
        Ok(Self {
            phone_number_id: provider_id("/sender/phone_number_id", request.phone_number_id)?,
            waba_id: provider_id("/sender/waba_id", request.waba_id)?,
            access_token: request.access_token,
            rate_per_second,
            burst,
        })
    }
}

/// Whether this can be an access token.
pub(crate) fn check_token(pointer: &str, token: &SecretString) -> Result<(), Problem> {
    let token = token.expose_secret();
    let usable = (1..=TOKEN_CHARACTERS).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    if usable {
        Ok(())
    } else {
        let detail = format!("expected 1 to {TOKEN_CHARACTERS} visible ASCII characters");
        Err(invalid(pointer, detail))
    }
}

fn check_templates(templates: &[NewTemplate]) -> Result<(), Problem> {
    if templates.len() > MAX_TEMPLATES {
        let detail = format!("expected at most {MAX_TEMPLATES} templates");
        return Err(invalid("/templates", detail));
    }
    for (index, template) in templates.iter().enumerate() {
        let at = |field: &str| format!("/templates/{index}/{field}");
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if template.name.is_empty()
            || template.name.len() > 512
            || !template.name.bytes().all(is_name)
        {
            let expected = "expected lowercase letters, digits and underscores";
            return Err(invalid(at("name"), expected));
        }
        parsed::<Language>(&at("language"), &template.language)?;
        if template.parameters.len() > MAX_PARAMETERS {
            let detail = format!("expected at most {MAX_PARAMETERS} parameters");
            return Err(invalid(at("parameters"), detail));
        }
        for (place, parameter) in template.parameters.iter().enumerate() {
            parsed::<Variable>(&at(&format!("parameters/{place}")), parameter)?;
        }
    }
    Ok(())
}

fn named<T>(pointer: &str, text: Option<String>) -> Result<Option<T>, Problem>
where
    T: FromStr<Err: Display>,
{
    text.map(|text| parsed(pointer, &text)).transpose()
}

fn parsed<T>(pointer: &str, text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error: T::Err| invalid(pointer, error.to_string()))
}

fn line(pointer: &str, text: &str, most: usize) -> Result<String, Problem> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most;
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(invalid(
            pointer,
            format!("expected one line of 1 to {most} characters"),
        ))
    }
}

/// Only what surely is none is refused: whether it arrives, a letter would tell.
fn email(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let looks_right = text.split_once('@').is_some_and(|(mailbox, domain)| {
        !mailbox.is_empty() && domain.contains('.') && !domain.contains('@')
    });
    let strange = |character: char| character.is_whitespace() || character.is_control();
    if looks_right && text.len() <= EMAIL_CHARACTERS && !text.contains(strange) {
        Ok(text.to_owned())
    } else {
        Err(invalid("/contact_email", "expected an email address"))
    }
}

/// A lab may well use its landline: unlike a patient's, the number need not be a mobile.
fn whatsapp_number(text: &str, region: Region) -> Result<String, Problem> {
    match PhoneNumber::parse(text, region) {
        Ok(number) => Ok(number.as_e164().to_owned()),
        Err(InvalidPhoneNumber::NotMobile) => Ok(text.trim().to_owned()),
        Err(error) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "INVALID_PHONE_NUMBER",
            "The phone number cannot be used",
        )
        .pointer_detail("/whatsapp_number", error.to_string())),
    }
}

fn provider_id(pointer: &str, text: String) -> Result<String, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (1..=PROVIDER_ID_DIGITS).contains(&text.len()) {
        Ok(text)
    } else {
        Err(invalid(
            pointer,
            "expected the provider's id, which is made of digits",
        ))
    }
}
