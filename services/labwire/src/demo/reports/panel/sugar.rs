use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Band, Findings, Guide, Patient, Section, Tone,
    measurement::{
        ALL_NORMAL, Analyte,
        Reference::{Below, Between},
    },
};

const HBA1C: Analyte = Analyte::new(words("HbA1c", "एचबीए1सी"), "HPLC, NGSP certified", "%", 1)
    .normally(Between(4.0, 5.6));
const AVERAGE: Analyte = Analyte::new(
    words("Estimated average glucose", "अनुमानित औसत ग्लूकोज़"),
    "Calculated",
    "mg/dL",
    0,
)
.normally(Below(117.0));
const FASTING: Analyte = Analyte::new(
    words("Glucose, fasting", "उपवास रक्त ग्लूकोज़"),
    "Hexokinase, fluoride plasma",
    "mg/dL",
    0,
)
.normally(Between(70.0, 99.0));

const SCALE: [Band; 4] = [
    Band {
        limit: 5.7,
        label: words("Not diabetic", "मधुमेह नहीं"),
        range: "< 5.7",
        tone: Tone::Good,
    },
    Band {
        limit: 6.5,
        label: words("Prediabetes", "पूर्व-मधुमेह"),
        range: "5.7 – 6.4",
        tone: Tone::Watch,
    },
    Band {
        limit: 8.0,
        label: words("Diabetes", "मधुमेह"),
        range: "6.5 – 7.9",
        tone: Tone::Alert,
    },
    Band {
        limit: f32::INFINITY,
        label: words("Poor control", "अनियंत्रित मधुमेह"),
        range: "8.0 +",
        tone: Tone::Alert,
    },
];

const PREDIABETES: Words = words(
    "HbA1c is in the prediabetes range. Weight control, regular exercise and a repeat test after three months are advised.",
    "HbA1c पूर्व-मधुमेह की श्रेणी में है। वज़न नियंत्रण, नियमित व्यायाम और तीन महीने बाद पुनः जाँच की सलाह दी जाती है।",
);
const DIABETES: Words = words(
    "HbA1c is in the diabetes range. It reflects the average blood glucose of the last 8 to 12 weeks; please consult your doctor.",
    "HbA1c मधुमेह की श्रेणी में है। यह पिछले 8 से 12 सप्ताह के औसत रक्त ग्लूकोज़ को दर्शाता है; कृपया अपने चिकित्सक से मिलें।",
);

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let (range, remark) = match dice.below(4) {
        0 | 1 => ((4.8, 5.4), ALL_NORMAL),
        2 => ((5.8, 6.3), PREDIABETES),
        _ => ((6.7, 9.6), DIABETES),
    };
    let hba1c = (dice.around(range) * 10.0).round() / 10.0;
    let average = 28.7 * hba1c - 46.7;
    let fasting = average * dice.between(0.84, 0.9);
    let rows = vec![
        HBA1C.measured(patient, hba1c),
        AVERAGE.measured(patient, average),
        FASTING.measured(patient, fasting),
    ];
    Findings {
        sections: vec![Section {
            title: words("Blood sugar", "रक्त शर्करा"),
            rows,
        }],
        guides: vec![Guide {
            title: words("HbA1c, %", "HbA1c, %"),
            bands: &SCALE,
            value: hba1c,
        }],
        remarks: vec![remark],
    }
}
