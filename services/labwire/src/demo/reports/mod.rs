//! Sample lab reports as PDF files, in English and Hindi, for the demo and for tests of delivery.
//! Everything in them is fictional and follows from the spec: the same spec gives the same bytes.
//! Knows nothing of messages, tenants or storage.

mod barcode;
mod canvas;
mod closing;
mod details;
mod dice;
mod document;
mod emblem;
mod labels;
mod letterhead;
mod panel;
mod people;
mod table;
mod theme;
mod typeface;
mod words;

#[cfg(test)]
mod tests;

use chrono::NaiveDate;

pub use panel::Panel;
pub use people::{People, Person, people};
pub use words::Language;

/// Chooses reference intervals and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    Female,
    Male,
}

/// What a sample report shows. The letterhead follows from the lab's name, the results from the seed.
///
/// Text may mix Latin and Devanagari; other scripts have no glyphs here. Reference intervals are those of adults.
#[derive(Clone)]
pub struct ReportSpec {
    pub lab_name: String,
    pub lab_tagline: String,
    pub patient_name: String,
    pub age: u8,
    pub sex: Sex,
    pub test: Panel,
    pub doctor_name: String,
    pub report_date: NaiveDate,
    pub sample_id: String,
    pub language: Language,
    pub seed: u64,
}

/// The report as a PDF file of one A4 page, two for a health check.
pub fn sample_report(spec: &ReportSpec) -> Vec<u8> {
    document::render(spec)
}
