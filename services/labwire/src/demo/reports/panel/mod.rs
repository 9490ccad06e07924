//! What each test panel measures, and results for it that fit together.
//! Knows numbers and phrases, not how they are drawn.

mod blood;
mod kidney;
mod lipid;
mod liver;
mod measurement;
mod sugar;
mod thyroid;
mod urine;
mod vitamin_d;

use measurement::ALL_NORMAL;
pub(super) use measurement::{Band, Flag, Guide, Measurement, Reference, Section, Tone, Value};

use super::{
    Language, Sex,
    dice::Dice,
    words::{Words, words},
};

/// A group of tests ordered together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Panel {
    CompleteBloodCount,
    Lipid,
    Liver,
    Kidney,
    Thyroid,
    Hba1c,
    Urine,
    VitaminD,
    /// Blood count, sugar, kidney and lipids together, on two pages.
    HealthCheck,
}

impl Panel {
    pub const ALL: [Self; 9] = [
        Self::CompleteBloodCount,
        Self::Lipid,
        Self::Liver,
        Self::Kidney,
        Self::Thyroid,
        Self::Hba1c,
        Self::Urine,
        Self::VitaminD,
        Self::HealthCheck,
    ];

    pub fn name(self, language: Language) -> &'static str {
        self.words().to(language)
    }

    fn words(self) -> Words {
        match self {
            Self::CompleteBloodCount => words("Complete Blood Count", "संपूर्ण रक्त गणना"),
            Self::Lipid => words("Lipid Profile", "लिपिड प्रोफ़ाइल"),
            Self::Liver => words("Liver Function Test", "यकृत कार्य परीक्षण"),
            Self::Kidney => words("Kidney Function Test", "वृक्क कार्य परीक्षण"),
            Self::Thyroid => words("Thyroid Profile", "थायरॉइड प्रोफ़ाइल"),
            Self::Hba1c => words("Glycated Haemoglobin (HbA1c)", "ग्लाइकेटेड हीमोग्लोबिन (HbA1c)"),
            Self::Urine => words("Urine Routine Examination", "मूत्र की सामान्य जाँच"),
            Self::VitaminD => words("Vitamin D Profile", "विटामिन डी प्रोफ़ाइल"),
            Self::HealthCheck => words("Comprehensive Health Check", "संपूर्ण स्वास्थ्य जाँच"),
        }
    }

    pub(super) fn specimen(self) -> Words {
        match self {
            Self::CompleteBloodCount | Self::Hba1c => words("Whole blood, EDTA", "संपूर्ण रक्त, EDTA"),
            Self::Lipid | Self::Liver | Self::Kidney | Self::Thyroid | Self::VitaminD => {
                words("Serum", "सीरम")
            }
            Self::Urine => words("Urine, midstream", "मूत्र, मध्य धारा"),
            Self::HealthCheck => words("Serum, EDTA blood", "सीरम, EDTA रक्त"),
        }
    }

    pub(super) fn findings(self, patient: Patient, dice: &mut Dice) -> Findings {
        let parts: &[fn(Patient, &mut Dice) -> Findings] = match self {
            Self::CompleteBloodCount => &[blood::findings],
            Self::Lipid => &[lipid::findings],
            Self::Liver => &[liver::findings],
            Self::Kidney => &[kidney::findings],
            Self::Thyroid => &[thyroid::findings],
            Self::Hba1c => &[sugar::findings],
            Self::Urine => &[urine::findings],
            Self::VitaminD => &[vitamin_d::findings],
            Self::HealthCheck => &[
                blood::findings,
                sugar::findings,
                kidney::findings,
                lipid::findings,
            ],
        };
        let mut all = Findings::default();
        // Scales are for the reader of one test; a health check would run to a third page.
        let with_guides = parts.len() == 1;
        for part in parts {
            let findings = part(patient, dice);
            all.sections.extend(findings.sections);
            all.remarks.extend(findings.remarks);
            all.guides
                .extend(findings.guides.into_iter().filter(|_| with_guides));
        }
        all.settle_remarks();
        all
    }
}

/// What the reference intervals and formulas depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patient {
    pub(super) age: u8,
    pub(super) sex: Sex,
}

/// The results of a panel, and what the pathologist says of them.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) sections: Vec<Section>,
    pub(super) guides: Vec<Guide>,
    pub(super) remarks: Vec<Words>,
}

impl Findings {
    /// "All normal" is said once, and only of a report without a flag.
    fn settle_remarks(&mut self) {
        let mut rows = self.sections.iter().flat_map(|section| &section.rows);
        let mut normal_is_said = rows.any(|row| row.flag.is_some());
        self.remarks.retain(|remark| {
            *remark != ALL_NORMAL || !std::mem::replace(&mut normal_is_said, true)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_say_all_is_normal_exactly_when_nothing_is_flagged() {
        for panel in Panel::ALL {
            for seed in 0..300 {
                for sex in [Sex::Female, Sex::Male] {
                    let patient = Patient { age: 45, sex };
                    let findings = panel.findings(patient, &mut Dice::new(seed, "test"));
                    let mut rows = findings.sections.iter().flat_map(|section| &section.rows);
                    let normal = rows.all(|row| row.flag.is_none());
                    let said = findings
                        .remarks
                        .iter()
                        .filter(|remark| **remark == ALL_NORMAL)
                        .count();
                    assert_eq!(said, usize::from(normal), "{panel:?}, seed {seed}, {sex:?}");
                    assert!(
                        !findings.remarks.is_empty(),
                        "{panel:?}, seed {seed}, {sex:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_panel_has_healthy_and_unhealthy_patients() {
        for panel in Panel::ALL {
            let patient = Patient {
                age: 45,
                sex: Sex::Female,
            };
            let normal = (0..100)
                .filter(|seed| {
                    let findings = panel.findings(patient, &mut Dice::new(*seed, "test"));
                    findings.remarks.contains(&ALL_NORMAL)
                })
                .count();
            assert!(
                (1..100).contains(&normal),
                "{panel:?}: {normal} of 100 are healthy"
            );
        }
    }
}
