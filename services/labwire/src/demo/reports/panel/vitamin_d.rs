use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Band, Findings, Guide, Patient, Section, Tone,
    measurement::{ALL_NORMAL, Analyte, Reference::Between},
};

const VITAMIN_D: Analyte = Analyte::new(
    words("25-hydroxy vitamin D", "25-हाइड्रॉक्सी विटामिन डी"),
    "Chemiluminescence",
    "ng/mL",
    1,
)
.normally(Between(30.0, 100.0));
const PTH: Analyte = Analyte::new(
    words("Parathyroid hormone, intact", "पैराथायरॉइड हार्मोन"),
    "Chemiluminescence",
    "pg/mL",
    0,
)
.normally(Between(15.0, 65.0));
const CALCIUM: Analyte = Analyte::new(words("Calcium", "कैल्शियम"), "Arsenazo III", "mg/dL", 1)
    .normally(Between(8.6, 10.2));
const PHOSPHORUS: Analyte = Analyte::new(
    words("Phosphorus", "फॉस्फोरस"),
    "Phosphomolybdate",
    "mg/dL",
    1,
)
.normally(Between(2.5, 4.5));

const SCALE: [Band; 4] = [
    Band {
        limit: 20.0,
        label: words("Deficient", "कमी"),
        range: "< 20",
        tone: Tone::Alert,
    },
    Band {
        limit: 30.0,
        label: words("Insufficient", "अपर्याप्त"),
        range: "20 – 29.9",
        tone: Tone::Watch,
    },
    Band {
        limit: 100.1,
        label: words("Sufficient", "पर्याप्त"),
        range: "30 – 100",
        tone: Tone::Good,
    },
    Band {
        limit: f32::INFINITY,
        label: words("Excess", "अत्यधिक"),
        range: "> 100",
        tone: Tone::Alert,
    },
];

const DEFICIENT: Words = words(
    "Vitamin D deficiency. Supplementation as advised by the doctor; repeat after 8 to 12 weeks of treatment.",
    "विटामिन डी की कमी है। चिकित्सक की सलाह से पूरक लें; 8 से 12 सप्ताह के उपचार के बाद पुनः जाँच कराएँ।",
);
const INSUFFICIENT: Words = words(
    "Vitamin D is insufficient. Sunlight, fortified food and supplements as advised by the doctor.",
    "विटामिन डी अपर्याप्त है। धूप, पोषक आहार तथा चिकित्सक की सलाह से पूरक लें।",
);

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let (range, pth, remark) = match dice.below(3) {
        0 => ((32.0, 58.0), (24.0, 52.0), ALL_NORMAL),
        1 => ((20.5, 28.9), (30.0, 60.0), INSUFFICIENT),
        _ => ((7.0, 18.5), (58.0, 96.0), DEFICIENT),
    };
    let vitamin_d = dice.around(range);
    let rows = vec![
        VITAMIN_D.measured(patient, vitamin_d),
        PTH.measured(patient, dice.around(pth)),
        CALCIUM.measured(patient, dice.around((8.8, 9.8))),
        PHOSPHORUS.measured(patient, dice.around((2.8, 4.2))),
    ];
    Findings {
        sections: vec![Section {
            title: words("Vitamin D and bone", "विटामिन डी एवं अस्थि"),
            rows,
        }],
        guides: vec![Guide {
            title: words(
                "25-hydroxy vitamin D, ng/mL",
                "25-हाइड्रॉक्सी विटामिन डी, ng/mL",
            ),
            bands: &SCALE,
            value: vitamin_d,
        }],
        remarks: vec![remark],
    }
}
