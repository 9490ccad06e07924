use chrono::{Datelike, NaiveDate};

use super::Language;

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const HINDI: [&str; 12] = [
    "जनवरी",
    "फ़रवरी",
    "मार्च",
    "अप्रैल",
    "मई",
    "जून",
    "जुलाई",
    "अगस्त",
    "सितंबर",
    "अक्टूबर",
    "नवंबर",
    "दिसंबर",
];

/// The date in words: `21 November 2026`, `21 नवंबर 2026`.
pub fn format_date(date: NaiveDate, language: Language) -> String {
    let months = match language {
        Language::English => ENGLISH,
        Language::Hindi => HINDI,
    };
    let month = usize::try_from(date.month0())
        .ok()
        .and_then(|month0| months.get(month0).copied())
        .expect("a date has one of twelve months");
    format!("{} {month} {}", date.day(), date.year())
}
