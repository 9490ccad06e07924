use crate::demo::reports::{
    Sex,
    dice::Dice,
    words::{Words, words},
};

use super::{
    Findings, Patient, Section,
    measurement::{ALL_NORMAL, Analyte, Reference::Between},
};

const HAEMOGLOBIN: Analyte =
    Analyte::new(words("Haemoglobin", "हीमोग्लोबिन"), "Photometry", "g/dL", 1)
        .by_sex(Between(12.0, 15.0), Between(13.0, 17.0));
const RED_CELLS: Analyte = Analyte::new(
    words("Red cell count", "लाल रक्त कोशिका गणना"),
    "Electrical impedance",
    "10⁶/µL",
    2,
)
.by_sex(Between(3.8, 4.8), Between(4.5, 5.5));
const PACKED_VOLUME: Analyte = Analyte::new(
    words("Packed cell volume", "संकुलित कोशिका आयतन"),
    "Calculated",
    "%",
    1,
)
.by_sex(Between(36.0, 46.0), Between(40.0, 50.0));
const MCV: Analyte = Analyte::new(
    words("MCV", "औसत कोशिका आयतन"),
    "Mean corpuscular volume",
    "fL",
    1,
)
.normally(Between(80.0, 100.0));
const MCH: Analyte = Analyte::new(
    words("MCH", "औसत कोशिका हीमोग्लोबिन"),
    "Mean corpuscular haemoglobin",
    "pg",
    1,
)
.normally(Between(27.0, 32.0));
const MCHC: Analyte = Analyte::new(
    words("MCHC", "औसत कोशिका हीमोग्लोबिन सांद्रता"),
    "Mean corpuscular Hb concentration",
    "g/dL",
    1,
)
.normally(Between(31.5, 34.5));
const RDW: Analyte = Analyte::new(
    words("RDW-CV", "लाल कोशिका वितरण विस्तार"),
    "Red cell distribution width",
    "%",
    1,
)
.normally(Between(11.6, 14.0));
const LEUCOCYTES: Analyte = Analyte::new(
    words("Total leucocyte count", "कुल श्वेत रक्त कोशिका गणना"),
    "Flow cytometry",
    "10³/µL",
    1,
)
.normally(Between(4.0, 10.0));
const NEUTROPHILS: Analyte =
    Analyte::new(words("Neutrophils", "न्यूट्रोफिल"), "Flow cytometry", "%", 0)
        .normally(Between(40.0, 75.0));
const LYMPHOCYTES: Analyte =
    Analyte::new(words("Lymphocytes", "लिम्फोसाइट"), "Flow cytometry", "%", 0)
        .normally(Between(20.0, 45.0));
const EOSINOPHILS: Analyte =
    Analyte::new(words("Eosinophils", "इओसिनोफिल"), "Flow cytometry", "%", 0)
        .normally(Between(1.0, 6.0));
const MONOCYTES: Analyte = Analyte::new(words("Monocytes", "मोनोसाइट"), "Flow cytometry", "%", 0)
    .normally(Between(2.0, 10.0));
const BASOPHILS: Analyte = Analyte::new(words("Basophils", "बेसोफिल"), "Flow cytometry", "%", 0)
    .normally(Between(0.0, 2.0));
const PLATELETS: Analyte = Analyte::new(
    words("Platelet count", "प्लेटलेट गणना"),
    "Electrical impedance",
    "10³/µL",
    0,
)
.normally(Between(150.0, 410.0));
const MPV: Analyte = Analyte::new(
    words("MPV", "औसत प्लेटलेट आयतन"),
    "Mean platelet volume",
    "fL",
    1,
)
.normally(Between(7.5, 11.5));
const ESR: Analyte = Analyte::new(
    words("ESR", "एरिथ्रोसाइट अवसादन दर"),
    "Modified Westergren",
    "mm/h",
    0,
)
.by_sex(Between(0.0, 20.0), Between(0.0, 15.0));

type Span = (f32, f32);

/// A condition as the ranges its values are drawn from; haemoglobin is a woman's.
struct Picture {
    haemoglobin: Span,
    mcv: Span,
    rdw: Span,
    leucocytes: Span,
    neutrophils: Span,
    eosinophils: Span,
    platelets: Span,
    esr: Span,
    remark: Words,
}

const HEALTHY: Picture = Picture {
    haemoglobin: (12.5, 13.6),
    mcv: (88.0, 94.0),
    rdw: (12.0, 13.8),
    leucocytes: (5.0, 8.8),
    neutrophils: (52.0, 64.0),
    eosinophils: (1.0, 4.0),
    platelets: (190.0, 350.0),
    esr: (4.0, 13.0),
    remark: ALL_NORMAL,
};

const IRON_DEFICIENCY: Picture = Picture {
    haemoglobin: (8.4, 10.6),
    mcv: (68.0, 77.0),
    rdw: (15.2, 18.4),
    platelets: (260.0, 430.0),
    esr: (16.0, 30.0),
    remark: words(
        "Microcytic hypochromic anaemia with raised RDW, suggestive of iron deficiency. Serum ferritin and iron studies advised.",
        "माइक्रोसाइटिक हाइपोक्रोमिक एनीमिया, लौह तत्व की कमी की संभावना। सीरम फेरिटिन एवं आयरन जाँच की सलाह दी जाती है।",
    ),
    ..HEALTHY
};

const INFECTION: Picture = Picture {
    leucocytes: (11.8, 16.5),
    neutrophils: (77.0, 84.0),
    eosinophils: (1.0, 2.0),
    esr: (28.0, 52.0),
    remark: words(
        "Neutrophilic leucocytosis with raised ESR, suggestive of acute infection or inflammation. Clinical correlation advised.",
        "श्वेत रक्त कोशिकाएँ और ईएसआर बढ़े हुए हैं, जो तीव्र संक्रमण या सूजन का संकेत हो सकते हैं। चिकित्सक से परामर्श करें।",
    ),
    ..HEALTHY
};

const ALLERGY: Picture = Picture {
    neutrophils: (46.0, 52.0),
    eosinophils: (8.0, 13.0),
    remark: words(
        "Eosinophilia: allergic or parasitic cause to be considered. Stool examination and serum IgE may be useful.",
        "इओसिनोफिल बढ़े हुए हैं: एलर्जी या कृमि संक्रमण पर विचार करें। मल परीक्षण एवं सीरम IgE जाँच उपयोगी हो सकती है।",
    ),
    ..HEALTHY
};

const LOW_PLATELETS: Picture = Picture {
    leucocytes: (3.0, 3.9),
    neutrophils: (42.0, 48.0),
    platelets: (62.0, 118.0),
    remark: words(
        "Leucopenia with thrombocytopenia; viral fever, dengue included, to be excluded. Repeat platelet count in 24 hours.",
        "श्वेत रक्त कोशिकाएँ एवं प्लेटलेट कम हैं; डेंगू सहित वायरल ज्वर की जाँच आवश्यक। 24 घंटे में प्लेटलेट गणना दोहराएँ।",
    ),
    ..HEALTHY
};

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let picture = dice.pick(&[
        HEALTHY,
        HEALTHY,
        IRON_DEFICIENCY,
        INFECTION,
        ALLERGY,
        LOW_PLATELETS,
    ]);
    Findings {
        sections: vec![
            Section {
                title: words("Red cells", "लाल रक्त कोशिकाएँ"),
                rows: red_cells(picture, patient, dice),
            },
            Section {
                title: words("White cells", "श्वेत रक्त कोशिकाएँ"),
                rows: white_cells(picture, patient, dice),
            },
            Section {
                title: words("Platelets and ESR", "प्लेटलेट एवं ईएसआर"),
                rows: platelets(picture, patient, dice),
            },
        ],
        guides: Vec::new(),
        remarks: vec![picture.remark],
    }
}

fn red_cells(picture: &Picture, patient: Patient, dice: &mut Dice) -> Vec<super::Measurement> {
    let for_sex = match patient.sex {
        Sex::Female => 0.0,
        Sex::Male => 2.0,
    };
    let haemoglobin = dice.around(picture.haemoglobin) + for_sex;
    let mcv = dice.around(picture.mcv);
    let mchc = dice.around((32.5, 33.8)) - if mcv < 80.0 { 1.6 } else { 0.0 };
    let packed_volume = haemoglobin / mchc * 100.0;
    let red_cells = packed_volume / mcv * 10.0;
    vec![
        HAEMOGLOBIN.measured(patient, haemoglobin),
        RED_CELLS.measured(patient, red_cells),
        PACKED_VOLUME.measured(patient, packed_volume),
        MCV.measured(patient, mcv),
        MCH.measured(patient, haemoglobin / red_cells * 10.0),
        MCHC.measured(patient, mchc),
        RDW.measured(patient, dice.around(picture.rdw)),
    ]
}

fn white_cells(picture: &Picture, patient: Patient, dice: &mut Dice) -> Vec<super::Measurement> {
    let neutrophils = dice.around(picture.neutrophils).round();
    let eosinophils = dice.around(picture.eosinophils).round();
    let monocytes = dice.around((3.0, 7.0)).round();
    let basophils = f32::from(dice.below(2));
    let lymphocytes = 100.0 - neutrophils - eosinophils - monocytes - basophils;
    vec![
        LEUCOCYTES.measured(patient, dice.around(picture.leucocytes)),
        NEUTROPHILS.measured(patient, neutrophils),
        LYMPHOCYTES.measured(patient, lymphocytes),
        EOSINOPHILS.measured(patient, eosinophils),
        MONOCYTES.measured(patient, monocytes),
        BASOPHILS.measured(patient, basophils),
    ]
}

fn platelets(picture: &Picture, patient: Patient, dice: &mut Dice) -> Vec<super::Measurement> {
    vec![
        PLATELETS.measured(patient, dice.around(picture.platelets)),
        MPV.measured(patient, dice.around((8.2, 11.0))),
        ESR.measured(patient, dice.around(picture.esr)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::reports::panel::Value;

    fn number(row: &super::super::Measurement) -> f32 {
        match row.value {
            Value::Number { value, .. } => value,
            Value::Quality { .. } => panic!("a blood count is numbers only"),
        }
    }

    #[test]
    fn the_differential_count_adds_up_to_a_hundred() {
        for seed in 0..200 {
            let patient = Patient {
                age: 30,
                sex: Sex::Male,
            };
            let findings = findings(patient, &mut Dice::new(seed, "test"));
            let kinds: f32 = findings.sections[1].rows[1..].iter().map(number).sum();
            assert!((kinds - 100.0).abs() < 0.01, "seed {seed}: {kinds}");
        }
    }

    #[test]
    fn a_healthy_picture_has_no_flags() {
        for seed in 0..200 {
            for sex in [Sex::Female, Sex::Male] {
                let patient = Patient { age: 30, sex };
                let mut dice = Dice::new(seed, "test");
                let mut rows = red_cells(&HEALTHY, patient, &mut dice);
                rows.extend(white_cells(&HEALTHY, patient, &mut dice));
                rows.extend(platelets(&HEALTHY, patient, &mut dice));
                let flagged: Vec<_> = rows
                    .iter()
                    .filter(|row| row.flag.is_some())
                    .map(|row| row.name.english)
                    .collect();
                assert!(flagged.is_empty(), "seed {seed}, {sex:?}: {flagged:?}");
            }
        }
    }
}
