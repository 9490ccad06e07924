use super::{
    Sex,
    words::{Words, words},
};

pub(super) const REPORT: Words = words("Laboratory report", "प्रयोगशाला रिपोर्ट");
pub(super) const PATIENT: Words = words("Patient", "रोगी का नाम");
pub(super) const AGE_AND_SEX: Words = words("Age / Sex", "आयु / लिंग");
pub(super) const YEARS: Words = words("years", "वर्ष");
pub(super) const REFERRED_BY: Words = words("Referred by", "संदर्भकर्ता चिकित्सक");
pub(super) const SAMPLE_ID: Words = words("Sample ID", "नमूना संख्या");
pub(super) const SPECIMEN: Words = words("Specimen", "नमूने का प्रकार");
pub(super) const COLLECTED: Words = words("Collected", "नमूना लिया गया");
pub(super) const RECEIVED: Words = words("Received", "नमूना प्राप्त हुआ");
pub(super) const REPORTED: Words = words("Reported", "रिपोर्ट जारी हुई");
pub(super) const STATUS: Words = words("Status", "स्थिति");
pub(super) const FINAL: Words = words("Final", "अंतिम");

pub(super) const TEST: Words = words("Test", "जाँच");
pub(super) const RESULT: Words = words("Result", "परिणाम");
pub(super) const UNIT: Words = words("Unit", "इकाई");
pub(super) const REFERENCE: Words = words("Reference interval", "संदर्भ सीमा");
pub(super) const POSITION: Words = words("Low · In range · High", "कम · सामान्य · अधिक");

pub(super) const REMARKS: Words = words("Interpretation", "निष्कर्ष एवं टिप्पणी");
pub(super) const CORRELATE: Words = words(
    "Results relate only to the sample tested and are to be read together with the clinical findings.",
    "परिणाम केवल जाँचे गए नमूने से संबंधित हैं। कृपया इन्हें अपने चिकित्सक के परामर्श के साथ पढ़ें।",
);
pub(super) const END: Words = words("End of report", "रिपोर्ट समाप्त");
pub(super) const PATHOLOGIST: Words = words(
    "MD (Pathology), Consultant Pathologist",
    "एमडी (पैथोलॉजी), परामर्शदाता पैथोलॉजिस्ट",
);
pub(super) const TECHNOLOGIST: Words = words(
    "Senior Laboratory Technologist",
    "वरिष्ठ प्रयोगशाला प्रौद्योगिकीविद्",
);
pub(super) const VERIFIED: Words = words("Electronically verified", "इलेक्ट्रॉनिक रूप से सत्यापित");
pub(super) const FICTIONAL: Words = words(
    "Sample report with fictional data. Not for medical use.",
    "काल्पनिक आँकड़ों वाली नमूना रिपोर्ट। चिकित्सकीय उपयोग के लिए नहीं।",
);
pub(super) const PAGE: Words = words("Page", "पृष्ठ");

pub(super) fn sex(sex: Sex) -> Words {
    match sex {
        Sex::Female => words("Female", "महिला"),
        Sex::Male => words("Male", "पुरुष"),
    }
}

const MONTHS: [Words; 12] = [
    words("Jan", "जनवरी"),
    words("Feb", "फ़रवरी"),
    words("Mar", "मार्च"),
    words("Apr", "अप्रैल"),
    words("May", "मई"),
    words("Jun", "जून"),
    words("Jul", "जुलाई"),
    words("Aug", "अगस्त"),
    words("Sep", "सितंबर"),
    words("Oct", "अक्टूबर"),
    words("Nov", "नवंबर"),
    words("Dec", "दिसंबर"),
];

/// The name of a month counted from zero, as chrono's `month0` does.
pub(super) fn month(month0: u32) -> Words {
    usize::try_from(month0)
        .ok()
        .and_then(|index| MONTHS.get(index).copied())
        .expect("a calendar month is one of twelve")
}
