use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Findings, Patient, Section,
    measurement::{
        ALL_NORMAL, Analyte,
        Reference::{Below, Between},
    },
};

const BILIRUBIN: Analyte = Analyte::new(
    words("Bilirubin, total", "कुल बिलीरुबिन"),
    "Diazo",
    "mg/dL",
    2,
)
.normally(Between(0.3, 1.2));
const DIRECT: Analyte = Analyte::new(
    words("Bilirubin, direct", "प्रत्यक्ष बिलीरुबिन"),
    "Diazo",
    "mg/dL",
    2,
)
.normally(Between(0.0, 0.3));
const INDIRECT: Analyte = Analyte::new(
    words("Bilirubin, indirect", "अप्रत्यक्ष बिलीरुबिन"),
    "Calculated",
    "mg/dL",
    2,
)
.normally(Between(0.1, 1.0));
const ALT: Analyte = Analyte::new(
    words("ALT (SGPT)", "एएलटी (एसजीपीटी)"),
    "IFCC without pyridoxal phosphate",
    "U/L",
    0,
)
.by_sex(Below(35.0), Below(50.0));
const AST: Analyte = Analyte::new(
    words("AST (SGOT)", "एएसटी (एसजीओटी)"),
    "IFCC without pyridoxal phosphate",
    "U/L",
    0,
)
.by_sex(Below(35.0), Below(50.0));
const ALP: Analyte = Analyte::new(
    words("Alkaline phosphatase", "क्षारीय फॉस्फेटेज़"),
    "PNPP, AMP buffer",
    "U/L",
    0,
)
.normally(Between(40.0, 130.0));
const GGT: Analyte = Analyte::new(words("Gamma GT", "गामा जीटी"), "Enzymatic, IFCC", "U/L", 0)
    .by_sex(Below(40.0), Below(60.0));
const PROTEIN: Analyte = Analyte::new(words("Total protein", "कुल प्रोटीन"), "Biuret", "g/dL", 1)
    .normally(Between(6.4, 8.3));
const ALBUMIN: Analyte = Analyte::new(words("Albumin", "एल्ब्यूमिन"), "Bromocresol green", "g/dL", 1)
    .normally(Between(3.5, 5.2));
const GLOBULIN: Analyte = Analyte::new(words("Globulin", "ग्लोब्युलिन"), "Calculated", "g/dL", 1)
    .normally(Between(2.0, 3.5));
const RATIO: Analyte = Analyte::new(
    words("Albumin / globulin ratio", "एल्ब्यूमिन / ग्लोब्युलिन अनुपात"),
    "Calculated",
    "",
    1,
)
.normally(Between(1.1, 2.2));

type Span = (f32, f32);

struct Picture {
    bilirubin: Span,
    /// The share of the bilirubin that is direct.
    direct: Span,
    alt: Span,
    alp: Span,
    ggt: Span,
    remark: Words,
}

const HEALTHY: Picture = Picture {
    bilirubin: (0.4, 0.9),
    direct: (0.2, 0.3),
    alt: (14.0, 32.0),
    alp: (58.0, 108.0),
    ggt: (12.0, 34.0),
    remark: ALL_NORMAL,
};

const FATTY_LIVER: Picture = Picture {
    alt: (62.0, 118.0),
    ggt: (64.0, 112.0),
    remark: words(
        "Raised transaminases and GGT; fatty liver or drug effect to be considered. Ultrasound of the abdomen may be useful.",
        "यकृत एंजाइम बढ़े हुए हैं; फैटी लिवर अथवा दवाओं का प्रभाव संभव है। पेट का अल्ट्रासाउंड उपयोगी हो सकता है।",
    ),
    ..HEALTHY
};

const JAUNDICE: Picture = Picture {
    bilirubin: (2.8, 5.6),
    direct: (0.55, 0.7),
    alt: (140.0, 320.0),
    alp: (148.0, 240.0),
    ggt: (80.0, 160.0),
    remark: words(
        "Conjugated hyperbilirubinaemia with raised enzymes. Viral hepatitis markers and early medical review are advised.",
        "प्रत्यक्ष बिलीरुबिन एवं यकृत एंजाइम बढ़े हुए हैं। वायरल हेपेटाइटिस की जाँच और शीघ्र चिकित्सकीय परामर्श की सलाह दी जाती है।",
    ),
};

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let picture = dice.pick(&[HEALTHY, HEALTHY, FATTY_LIVER, JAUNDICE]);
    let bilirubin = dice.around(picture.bilirubin);
    let direct = bilirubin * dice.around(picture.direct);
    let alt = dice.around(picture.alt);
    let (albumin, globulin) = (dice.around((3.9, 4.8)), dice.around((2.4, 3.2)));
    let rows = vec![
        BILIRUBIN.measured(patient, bilirubin),
        DIRECT.measured(patient, direct),
        INDIRECT.measured(patient, bilirubin - direct),
        ALT.measured(patient, alt),
        AST.measured(patient, alt * dice.between(0.76, 0.98)),
        ALP.measured(patient, dice.around(picture.alp)),
        GGT.measured(patient, dice.around(picture.ggt)),
        PROTEIN.measured(patient, albumin + globulin),
        ALBUMIN.measured(patient, albumin),
        GLOBULIN.measured(patient, globulin),
        RATIO.measured(patient, albumin / globulin),
    ];
    Findings {
        sections: vec![Section {
            title: words("Liver", "यकृत"),
            rows,
        }],
        guides: Vec::new(),
        remarks: vec![picture.remark],
    }
}
