use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Band, Findings, Guide, Patient, Section, Tone,
    measurement::{ALL_NORMAL, Analyte, Reference::Between},
};

const T3: Analyte = Analyte::new(
    words("Triiodothyronine, total (T3)", "ट्राइआयोडोथायरोनिन, कुल (T3)"),
    "Chemiluminescence",
    "ng/dL",
    0,
)
.normally(Between(80.0, 200.0));
const T4: Analyte = Analyte::new(
    words("Thyroxine, total (T4)", "थायरॉक्सिन, कुल (T4)"),
    "Chemiluminescence",
    "µg/dL",
    1,
)
.normally(Between(5.1, 14.1));
const FREE_T4: Analyte = Analyte::new(
    words("Thyroxine, free (FT4)", "थायरॉक्सिन, मुक्त (FT4)"),
    "Chemiluminescence",
    "ng/dL",
    2,
)
.normally(Between(0.93, 1.7));
const TSH: Analyte = Analyte::new(
    words(
        "Thyroid stimulating hormone (TSH)",
        "थायरॉइड उत्तेजक हार्मोन (TSH)",
    ),
    "Chemiluminescence, third generation",
    "µIU/mL",
    2,
)
.normally(Between(0.27, 4.2));

const SCALE: [Band; 4] = [
    Band {
        limit: 0.27,
        label: words("Overactive", "अतिसक्रिय"),
        range: "< 0.27",
        tone: Tone::Alert,
    },
    Band {
        limit: 4.21,
        label: words("Normal", "सामान्य"),
        range: "0.27 – 4.20",
        tone: Tone::Good,
    },
    Band {
        limit: 10.0,
        label: words("Mildly underactive", "हल्का अल्पसक्रिय"),
        range: "4.21 – 9.99",
        tone: Tone::Watch,
    },
    Band {
        limit: f32::INFINITY,
        label: words("Underactive", "अल्पसक्रिय"),
        range: "10.00 +",
        tone: Tone::Alert,
    },
];

const SUBCLINICAL: Words = words(
    "TSH is mildly raised with normal thyroid hormones: subclinical hypothyroidism. Repeat with anti-TPO antibodies after 6 to 8 weeks.",
    "TSH हल्का बढ़ा हुआ है और थायरॉइड हार्मोन सामान्य हैं: उपनैदानिक अल्पसक्रियता। 6 से 8 सप्ताह बाद एंटी-टीपीओ के साथ पुनः जाँच कराएँ।",
);
const HYPOTHYROID: Words = words(
    "Raised TSH with low thyroxine is consistent with primary hypothyroidism. Please consult your doctor about treatment.",
    "TSH अधिक और थायरॉक्सिन कम है, जो प्राथमिक अल्पसक्रिय थायरॉइड के अनुरूप है। उपचार के लिए अपने चिकित्सक से परामर्श करें।",
);
const HYPERTHYROID: Words = words(
    "Suppressed TSH with raised thyroid hormones is consistent with hyperthyroidism. Early review by a physician is advised.",
    "TSH बहुत कम और थायरॉइड हार्मोन अधिक हैं, जो अतिसक्रिय थायरॉइड के अनुरूप है। शीघ्र चिकित्सकीय परामर्श की सलाह दी जाती है।",
);

const TIME_OF_DAY: Words = words(
    "TSH follows the time of day: it is highest at night and lowest in the afternoon. Compare results of the same hour only.",
    "TSH दिन के समय के साथ बदलता है: रात में सर्वाधिक और दोपहर में न्यूनतम। केवल एक ही समय के परिणामों की तुलना करें।",
);

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let (tsh, t3, t4, remark) = match dice.below(5) {
        0 | 1 => ((0.9, 3.4), (92.0, 168.0), (6.4, 11.0), ALL_NORMAL),
        2 => ((5.2, 8.9), (90.0, 150.0), (6.2, 9.0), SUBCLINICAL),
        3 => ((14.0, 48.0), (62.0, 79.0), (2.4, 4.6), HYPOTHYROID),
        _ => ((0.01, 0.09), (214.0, 330.0), (15.0, 20.5), HYPERTHYROID),
    };
    let (tsh, t4) = (dice.around(tsh), dice.around(t4));
    let rows = vec![
        T3.measured(patient, dice.around(t3)),
        T4.measured(patient, t4),
        FREE_T4.measured(patient, 0.35 + t4 * 0.093),
        TSH.measured(patient, tsh),
    ];
    Findings {
        sections: vec![Section {
            title: words("Thyroid hormones", "थायरॉइड हार्मोन"),
            rows,
        }],
        guides: vec![Guide {
            title: words("TSH, µIU/mL", "TSH, µIU/mL"),
            bands: &SCALE,
            value: tsh,
        }],
        remarks: vec![remark, TIME_OF_DAY],
    }
}
