use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Language, format_date};

/// A place in a message that is filled for each report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    PatientName,
    TestName,
    DoctorName,
    ReportDate,
    LabName,
}

named!(Variable, "placeholder", {
    PatientName => "patient_name",
    TestName => "test_name",
    DoctorName => "doctor_name",
    ReportDate => "report_date",
    LabName => "lab_name",
});

/// What one report fills a message with. Patient data: never shown, never logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportVariables {
    pub patient_name: Option<String>,
    pub test_name: Option<String>,
    pub doctor_name: Option<String>,
    pub report_date: Option<NaiveDate>,
    pub lab_name: Option<String>,
}

impl ReportVariables {
    /// The text of one variable; a blank one counts as missing.
    pub fn value(&self, variable: Variable, language: Language) -> Option<String> {
        let text = match variable {
            Variable::PatientName => &self.patient_name,
            Variable::TestName => &self.test_name,
            Variable::DoctorName => &self.doctor_name,
            Variable::LabName => &self.lab_name,
            Variable::ReportDate => {
                return self.report_date.map(|date| format_date(date, language));
            }
        };
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }
}

impl fmt::Debug for ReportVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportVariables(redacted)")
    }
}

/// Why a message cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("unknown placeholder {{{{{0}}}}}, expected one of: {expected}", expected = Variable::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "))]
    UnknownPlaceholder(String),
    #[error("the message uses {{{{{0}}}}}, which the report does not give")]
    MissingValue(Variable),
    #[error("a placeholder is opened with {{{{ but not closed with }}}}")]
    Unclosed,
}

enum Part<'t> {
    Text(&'t str),
    Variable(Variable),
}

/// Fills the placeholders. Values are never searched for placeholders themselves.
pub fn render(
    template: &str,
    variables: &ReportVariables,
    language: Language,
) -> Result<String, TemplateError> {
    parts(template)?
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => Ok(text.to_owned()),
            Part::Variable(variable) => variables
                .value(variable, language)
                .ok_or(TemplateError::MissingValue(variable)),
        })
        .collect()
}

/// The placeholders of a message, in order; fails where `render` would whatever the report gives.
pub fn variables_in(template: &str) -> Result<Vec<Variable>, TemplateError> {
    Ok(parts(template)?
        .into_iter()
        .filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
        .collect())
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, opened)) = rest.split_once("{{") {
        let (name, after) = opened.split_once("}}").ok_or(TemplateError::Unclosed)?;
        let variable = name
            .trim()
            .parse()
            .map_err(|_| TemplateError::UnknownPlaceholder(shortened(name)))?;
        parts.push(Part::Text(text));
        parts.push(Part::Variable(variable));
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// A forgotten `}}` must not put half a message into an error.
fn shortened(name: &str) -> String {
    name.trim().chars().take(40).collect()
}
