use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Findings, Measurement, Patient, Section,
    measurement::{ALL_NORMAL, Analyte, Quality, Reference::Between},
};

const ABSENT: Words = words("Absent", "अनुपस्थित");
const NEGATIVE: Words = words("Negative", "ऋणात्मक");
const POSITIVE: Words = words("Positive", "धनात्मक");

const fn seen(name: Words, expected: Words) -> Quality {
    Quality {
        name,
        method: "Visual",
        unit: "",
        expected,
    }
}

const fn strip(name: Words, expected: Words) -> Quality {
    Quality {
        name,
        method: "Reagent strip",
        unit: "",
        expected,
    }
}

const fn field(name: Words, expected: Words) -> Quality {
    Quality {
        name,
        method: "Microscopy",
        unit: "/hpf",
        expected,
    }
}

const COLOUR: Quality = seen(words("Colour", "रंग"), words("Pale yellow", "हल्का पीला"));
const APPEARANCE: Quality = seen(words("Appearance", "स्वरूप"), words("Clear", "स्वच्छ"));
const GRAVITY: Analyte = Analyte::new(
    words("Specific gravity", "विशिष्ट घनत्व"),
    "Refractometry",
    "",
    3,
)
.normally(Between(1.005, 1.03));
const PH: Analyte =
    Analyte::new(words("pH", "पीएच"), "Reagent strip", "", 1).normally(Between(4.6, 8.0));
const PROTEIN: Quality = strip(words("Protein", "प्रोटीन"), ABSENT);
const GLUCOSE: Quality = strip(words("Glucose", "ग्लूकोज़"), ABSENT);
const KETONES: Quality = strip(words("Ketones", "कीटोन"), ABSENT);
const BILIRUBIN: Quality = strip(words("Bilirubin", "बिलीरुबिन"), ABSENT);
const UROBILINOGEN: Quality = strip(
    words("Urobilinogen", "यूरोबिलिनोजन"),
    words("Normal", "सामान्य"),
);
const NITRITE: Quality = strip(words("Nitrite", "नाइट्राइट"), NEGATIVE);
const ESTERASE: Quality = strip(words("Leucocyte esterase", "ल्यूकोसाइट एस्टरेज़"), NEGATIVE);
const PUS_CELLS: Quality = field(words("Pus cells", "मवाद कोशिकाएँ"), words("0 – 5", "0 – 5"));
const RED_CELLS: Quality = field(
    words("Red blood cells", "लाल रक्त कोशिकाएँ"),
    words("0 – 2", "0 – 2"),
);
const EPITHELIAL: Quality = field(
    words("Epithelial cells", "उपकला कोशिकाएँ"),
    words("0 – 5", "0 – 5"),
);
const CASTS: Quality = Quality {
    unit: "/lpf",
    ..field(words("Casts", "कास्ट"), ABSENT)
};
const CRYSTALS: Quality = Quality {
    unit: "",
    ..field(words("Crystals", "क्रिस्टल"), ABSENT)
};
const BACTERIA: Quality = Quality {
    unit: "",
    ..field(words("Bacteria", "जीवाणु"), ABSENT)
};

const INFECTION: Words = words(
    "Pus cells and bacteria with positive nitrite suggest urinary tract infection. Urine culture and sensitivity advised.",
    "मवाद कोशिकाएँ, जीवाणु एवं धनात्मक नाइट्राइट मूत्र मार्ग संक्रमण का संकेत हैं। मूत्र कल्चर एवं संवेदनशीलता जाँच कराएँ।",
);
const SUGAR: Words = words(
    "Glucose is present in the urine. Fasting blood glucose and HbA1c are advised.",
    "मूत्र में ग्लूकोज़ उपस्थित है। उपवास रक्त ग्लूकोज़ एवं HbA1c जाँच की सलाह दी जाती है।",
);

#[derive(Clone, Copy, PartialEq)]
enum Picture {
    Healthy,
    Infection,
    Sugar,
}

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let picture = *dice.pick(&[
        Picture::Healthy,
        Picture::Healthy,
        Picture::Infection,
        Picture::Sugar,
    ]);
    let section = |title, rows| Section { title, rows };
    Findings {
        sections: vec![
            section(
                words("Physical examination", "भौतिक परीक्षण"),
                physical(picture, patient, dice),
            ),
            section(
                words("Chemical examination", "रासायनिक परीक्षण"),
                chemical(picture),
            ),
            section(
                words("Microscopic examination", "सूक्ष्मदर्शी परीक्षण"),
                microscopic(picture, dice),
            ),
        ],
        guides: Vec::new(),
        remarks: vec![match picture {
            Picture::Healthy => ALL_NORMAL,
            Picture::Infection => INFECTION,
            Picture::Sugar => SUGAR,
        }],
    }
}

fn physical(picture: Picture, patient: Patient, dice: &mut Dice) -> Vec<Measurement> {
    let appearance = if picture == Picture::Infection {
        APPEARANCE.abnormal(words("Slightly turbid", "हल्का धुँधला"))
    } else {
        APPEARANCE.normal()
    };
    vec![
        COLOUR.normal(),
        appearance,
        GRAVITY.measured(patient, dice.around((1.01, 1.026))),
        PH.measured(patient, (dice.around((5.2, 7.2)) * 2.0).round() / 2.0),
    ]
}

fn chemical(picture: Picture) -> Vec<Measurement> {
    let infection = picture == Picture::Infection;
    let unless = |quality: Quality, abnormal: bool, seen: Words| {
        if abnormal {
            quality.abnormal(seen)
        } else {
            quality.normal()
        }
    };
    vec![
        unless(PROTEIN, infection, words("Trace", "अल्प मात्रा")),
        unless(
            GLUCOSE,
            picture == Picture::Sugar,
            words("Present (++)", "उपस्थित (++)"),
        ),
        KETONES.normal(),
        BILIRUBIN.normal(),
        UROBILINOGEN.normal(),
        unless(NITRITE, infection, POSITIVE),
        unless(ESTERASE, infection, POSITIVE),
    ]
}

fn microscopic(picture: Picture, dice: &mut Dice) -> Vec<Measurement> {
    let few = [
        words("0 – 1", "0 – 1"),
        words("1 – 2", "1 – 2"),
        words("2 – 3", "2 – 3"),
    ];
    let many = [
        words("18 – 20", "18 – 20"),
        words("20 – 25", "20 – 25"),
        words("30 – 35", "30 – 35"),
    ];
    let (pus_cells, bacteria) = if picture == Picture::Infection {
        let present = words("Present (+)", "उपस्थित (+)");
        (
            PUS_CELLS.abnormal(*dice.pick(&many)),
            BACTERIA.abnormal(present),
        )
    } else {
        (PUS_CELLS.within(*dice.pick(&few)), BACTERIA.normal())
    };
    vec![
        pus_cells,
        RED_CELLS.within(words("0 – 1", "0 – 1")),
        EPITHELIAL.within(*dice.pick(&few)),
        CASTS.normal(),
        CRYSTALS.normal(),
        bacteria,
    ]
}
