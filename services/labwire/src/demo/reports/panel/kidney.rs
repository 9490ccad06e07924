use crate::demo::reports::{
    Sex,
    dice::Dice,
    words::{Words, words},
};

use super::{
    Band, Findings, Guide, Patient, Section, Tone,
    measurement::{
        ALL_NORMAL, Analyte,
        Reference::{Above, Between},
    },
};

const UREA: Analyte =
    Analyte::new(words("Urea", "यूरिया"), "Urease, GLDH", "mg/dL", 0).normally(Between(15.0, 43.0));
const BUN: Analyte = Analyte::new(
    words("Blood urea nitrogen", "रक्त यूरिया नाइट्रोजन"),
    "Calculated",
    "mg/dL",
    1,
)
.normally(Between(7.0, 20.0));
const CREATININE: Analyte = Analyte::new(
    words("Creatinine", "क्रिएटिनिन"),
    "Modified Jaffe",
    "mg/dL",
    2,
)
.by_sex(Between(0.5, 1.1), Between(0.7, 1.3));
const GFR: Analyte = Analyte::new(
    words("eGFR", "अनुमानित जीएफआर"),
    "Calculated, CKD-EPI 2021",
    "mL/min/1.73 m²",
    0,
)
.normally(Above(60.0));
const URIC_ACID: Analyte = Analyte::new(words("Uric acid", "यूरिक अम्ल"), "Uricase", "mg/dL", 1)
    .by_sex(Between(2.6, 6.0), Between(3.5, 7.2));
const SODIUM: Analyte = Analyte::new(
    words("Sodium", "सोडियम"),
    "Ion selective electrode",
    "mmol/L",
    0,
)
.normally(Between(136.0, 145.0));
const POTASSIUM: Analyte = Analyte::new(
    words("Potassium", "पोटैशियम"),
    "Ion selective electrode",
    "mmol/L",
    1,
)
.normally(Between(3.5, 5.1));
const CHLORIDE: Analyte = Analyte::new(
    words("Chloride", "क्लोराइड"),
    "Ion selective electrode",
    "mmol/L",
    0,
)
.normally(Between(98.0, 107.0));
const CALCIUM: Analyte = Analyte::new(words("Calcium", "कैल्शियम"), "Arsenazo III", "mg/dL", 1)
    .normally(Between(8.6, 10.2));
const PHOSPHORUS: Analyte = Analyte::new(
    words("Phosphorus", "फॉस्फोरस"),
    "Phosphomolybdate",
    "mg/dL",
    1,
)
.normally(Between(2.5, 4.5));

const GFR_SCALE: [Band; 4] = [
    Band {
        limit: 30.0,
        label: words("Severely reduced", "अत्यधिक कम"),
        range: "< 30",
        tone: Tone::Alert,
    },
    Band {
        limit: 60.0,
        label: words("Moderately reduced", "मध्यम कम"),
        range: "30 – 59",
        tone: Tone::Watch,
    },
    Band {
        limit: 90.0,
        label: words("Mildly reduced", "हल्का कम"),
        range: "60 – 89",
        tone: Tone::Good,
    },
    Band {
        limit: f32::INFINITY,
        label: words("Normal", "सामान्य"),
        range: "90 +",
        tone: Tone::Good,
    },
];

const REDUCED: Words = words(
    "Reduced filtration with raised creatinine. Urine albumin to creatinine ratio and review by a physician are advised.",
    "क्रिएटिनिन बढ़ा हुआ और वृक्क निस्यंदन दर कम है। मूत्र एल्ब्यूमिन-क्रिएटिनिन अनुपात की जाँच एवं चिकित्सकीय परामर्श आवश्यक।",
);
const URIC: Words = words(
    "Uric acid is raised; renal function is otherwise preserved. Adequate fluids and a diet low in purines are advised.",
    "यूरिक अम्ल बढ़ा हुआ है; वृक्क का कार्य अन्यथा सामान्य है। पर्याप्त पानी पिएँ और कम प्यूरीन वाला आहार लें।",
);

/// The estimated filtration rate, by the CKD-EPI equation of 2021.
fn filtration_rate(patient: Patient, creatinine: f32) -> f32 {
    let (scale, power, factor) = match patient.sex {
        Sex::Female => (0.7, -0.241, 1.012),
        Sex::Male => (0.9, -0.302, 1.0),
    };
    let ratio: f32 = creatinine / scale;
    let age = 0.9938_f32.powf(f32::from(patient.age));
    142.0 * ratio.min(1.0).powf(power) * ratio.max(1.0).powf(-1.2) * age * factor
}

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    // The median of the healthy creatinine; what follows from it scales alike.
    let usual = match patient.sex {
        Sex::Female => 0.68,
        Sex::Male => 0.88,
    };
    let (creatinine, urea, uric_acid, potassium, remark) = match dice.below(4) {
        0 | 1 => (
            (0.85, 1.1),
            (18.0, 36.0),
            (5.0, 5.8),
            (3.8, 4.7),
            ALL_NORMAL,
        ),
        2 => ((0.85, 1.1), (20.0, 38.0), (7.8, 9.4), (3.8, 4.7), URIC),
        _ => ((2.2, 3.1), (58.0, 96.0), (7.4, 8.8), (4.8, 5.5), REDUCED),
    };
    let creatinine = (dice.around(creatinine) * usual * 100.0).round() / 100.0;
    let urea = dice.around(urea).round();
    let rate = filtration_rate(patient, creatinine).round();
    let rows = vec![
        UREA.measured(patient, urea),
        BUN.measured(patient, urea / 2.14),
        CREATININE.measured(patient, creatinine),
        GFR.measured(patient, rate),
        URIC_ACID.measured(patient, dice.around(uric_acid)),
        SODIUM.measured(patient, dice.around((137.0, 143.0))),
        POTASSIUM.measured(patient, dice.around(potassium)),
        CHLORIDE.measured(patient, dice.around((99.0, 106.0))),
        CALCIUM.measured(patient, dice.around((8.8, 9.9))),
        PHOSPHORUS.measured(patient, dice.around((2.9, 4.2))),
    ];
    Findings {
        sections: vec![Section {
            title: words("Kidney and electrolytes", "वृक्क एवं इलेक्ट्रोलाइट"),
            rows,
        }],
        guides: vec![Guide {
            title: words("eGFR, mL/min/1.73 m²", "अनुमानित जीएफआर, mL/min/1.73 m²"),
            bands: &GFR_SCALE,
            value: rate,
        }],
        remarks: vec![remark],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values computed by hand from the published equation.
    #[test]
    fn the_filtration_rate_follows_the_published_equation() {
        let woman = Patient {
            age: 50,
            sex: Sex::Female,
        };
        let man = Patient {
            age: 50,
            sex: Sex::Male,
        };
        assert!((filtration_rate(woman, 0.7) - 105.3).abs() < 0.5);
        assert!((filtration_rate(man, 1.8) - 45.3).abs() < 0.5);
    }
}
