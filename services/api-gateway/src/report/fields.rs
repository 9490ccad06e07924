use chrono::NaiveDate;
use domain::{
    Language, PhoneNumber,
    text::{default_message, render},
};
use http::StatusCode;
use sealed_records::ReportContent;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use storage::tenants::Tenant;
use web::Problem;

use crate::error::invalid;

/// The longest text message that WhatsApp takes.
const MESSAGE_CHARACTERS: usize = 4096;
const NAME_CHARACTERS: usize = 200;
const FILENAME_CHARACTERS: usize = 200;

/// The fields of a report as they came, from JSON or from a form.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct ReportFields {
    pub(super) patient_phone: Option<String>,
    pub(super) patient_name: Option<String>,
    pub(super) message: Option<String>,
    pub(super) test_name: Option<String>,
    pub(super) doctor_name: Option<String>,
    pub(super) report_date: Option<String>,
    pub(super) language: Option<String>,
    pub(super) report_filename: Option<String>,
    /// Base64; a form's file does not come this way.
    #[serde(skip_serializing)]
    pub(super) report_file: Option<String>,
}

impl ReportFields {
    /// Where a form's field of this name goes; `None` for a name that means nothing here.
    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "patient_phone" => &mut self.patient_phone,
            "patient_name" => &mut self.patient_name,
            "message" => &mut self.message,
            "test_name" => &mut self.test_name,
            "doctor_name" => &mut self.doctor_name,
            "report_date" => &mut self.report_date,
            "language" => &mut self.language,
            "report_filename" => &mut self.report_filename,
            _ => return None,
        })
    }
}

/// A report that can be sent, as far as its words go.
pub(crate) struct Report {
    pub(crate) recipient: PhoneNumber,
    pub(crate) content: ReportContent,
    pub(crate) filename: Option<String>,
    fields_hash: [u8; 32],
}

impl Report {
    pub(crate) fn check(
        fields: ReportFields,
        has_file: bool,
        lab: &Tenant,
    ) -> Result<Self, Problem> {
        let fields_hash = hash(&fields);
        let phone =
            given(fields.patient_phone).ok_or_else(|| invalid("/patient_phone", "required"))?;
        let recipient = PhoneNumber::parse(&phone, lab.region).map_err(|error| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "INVALID_PHONE_NUMBER",
                "The phone number cannot be used",
            )
            .pointer_detail("/patient_phone", error.to_string())
        })?;
        let language = language(fields.language, lab.language)?;
        let message = given(fields.message);
        if message.is_none() && !has_file {
            return Err(invalid("/message", "required without a report_file"));
        }
        let mut content = ReportContent {
            patient_name: line("/patient_name", fields.patient_name, NAME_CHARACTERS)?,
            test_name: line("/test_name", fields.test_name, NAME_CHARACTERS)?,
            doctor_name: line("/doctor_name", fields.doctor_name, NAME_CHARACTERS)?,
            report_date: given(fields.report_date).as_deref().map(date).transpose()?,
            text: String::new(),
            language,
        };
        let message = message.as_deref().unwrap_or(default_message(language));
        content.text = text(message, &content, lab)?;
        Ok(Self {
            recipient,
            content,
            filename: line(
                "/report_filename",
                fields.report_filename,
                FILENAME_CHARACTERS,
            )?,
            fields_hash,
        })
    }

    /// Equal for equal requests: of what was said and of the file's bytes.
    pub(crate) fn fingerprint(&self, file_sha256: Option<[u8; 32]>) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.fields_hash);
        if let Some(file) = file_sha256 {
            digest.update(file);
        }
        digest.finalize().into()
    }
}

/// Of the fields alone, so that the order and white space of the body do not matter.
fn hash(fields: &ReportFields) -> [u8; 32] {
    let json = serde_json::to_vec(fields).expect("strings are JSON");
    Sha256::digest(json).into()
}

/// A blank field counts as absent.
fn given(field: Option<String>) -> Option<String> {
    field.filter(|text| !text.trim().is_empty())
}

fn line(
    pointer: &'static str,
    field: Option<String>,
    most: usize,
) -> Result<Option<String>, Problem> {
    let Some(text) = given(field) else {
        return Ok(None);
    };
    if text.chars().count() > most {
        return Err(invalid(
            pointer,
            format!("expected at most {most} characters"),
        ));
    }
    // The provider refuses template parameters with line breaks or tabs.
    if text.chars().any(char::is_control) {
        return Err(invalid(
            pointer,
            "expected one line without control characters",
        ));
    }
    Ok(Some(text.trim().to_owned()))
}

fn language(field: Option<String>, default: Language) -> Result<Language, Problem> {
    match given(field) {
        None => Ok(default),
        Some(tag) => tag
            .trim()
            .parse()
            .map_err(|error: domain::UnknownName| invalid("/language", error.to_string())),
    }
}

fn date(text: &str) -> Result<NaiveDate, Problem> {
    text.trim()
        .parse()
        .map_err(|_| invalid("/report_date", "expected a date like 2026-11-21"))
}

fn text(message: &str, content: &ReportContent, lab: &Tenant) -> Result<String, Problem> {
    let variables = content.variables(&lab.name);
    let text = render(message, &variables, content.language)
        .map_err(|error| invalid("/message", error.to_string()))?;
    if text.chars().count() > MESSAGE_CHARACTERS {
        let detail = format!("expected at most {MESSAGE_CHARACTERS} characters, names filled in");
        return Err(invalid("/message", detail));
    }
    Ok(text)
}
