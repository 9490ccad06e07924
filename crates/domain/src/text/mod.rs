//! What patients read: messages with placeholders, captions, dates, in each language.
//! Must not know how a message is sent.

mod dates;
mod language;
mod render;

pub use dates::format_date;
pub use language::Language;
pub use render::{ReportVariables, TemplateError, Variable, render, variables_in};

/// The most characters that a provider shows under a document.
pub const CAPTION_CHARACTERS: usize = 1024;

/// The text under a document; what is too long is cut and ends in an ellipsis.
pub fn caption(text: &str) -> String {
    if text.chars().count() <= CAPTION_CHARACTERS {
        return text.to_owned();
    }
    text.chars()
        .take(CAPTION_CHARACTERS - 1)
        .chain(['…'])
        .collect()
}

/// The message of a lab that has not written its own.
pub const fn default_message(language: Language) -> &'static str {
    match language {
        Language::English => {
            "Dear {{patient_name}},\n\nYour {{test_name}} report from {{lab_name}} is ready and attached. \
             Please show it to your doctor.\n\nReply STOP to receive no more reports here."
        }
        Language::Hindi => {
            "प्रिय {{patient_name}},\n\n{{lab_name}} से आपकी {{test_name}} रिपोर्ट तैयार है और संलग्न है। \
             कृपया इसे अपने डॉक्टर को दिखाएँ।\n\nयहाँ रिपोर्ट न पाने के लिए STOP लिखकर भेजें।"
        }
    }
}
