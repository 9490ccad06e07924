use crate::demo::reports::{
    Language, Sex,
    words::{Words, words},
};

use super::Patient;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Reference {
    Between(f32, f32),
    Below(f32),
    Above(f32),
}

impl Reference {
    fn flag(self, value: f32) -> Option<Flag> {
        match self {
            Self::Between(low, _) if value < low => Some(Flag::Low),
            Self::Between(_, high) if value > high => Some(Flag::High),
            Self::Below(limit) if value >= limit => Some(Flag::High),
            Self::Above(limit) if value <= limit => Some(Flag::Low),
            _ => None,
        }
    }

    fn text(self, decimals: usize) -> String {
        match self {
            Self::Between(low, high) => format!("{low:.decimals$} – {high:.decimals$}"),
            Self::Below(limit) => format!("< {limit:.decimals$}"),
            Self::Above(limit) => format!("> {limit:.decimals$}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Flag {
    Low,
    High,
    Abnormal,
}

/// A measured quantity: its names, its unit and what is normal.
#[derive(Clone, Copy)]
pub(super) struct Analyte {
    name: Words,
    method: &'static str,
    unit: &'static str,
    decimals: usize,
    female: Reference,
    male: Reference,
}

impl Analyte {
    pub(super) const fn new(
        name: Words,
        method: &'static str,
        unit: &'static str,
        decimals: usize,
    ) -> Self {
        let anything = Reference::Above(f32::NEG_INFINITY);
        Self {
            name,
            method,
            unit,
            decimals,
            female: anything,
            male: anything,
        }
    }

    pub(super) const fn normally(self, reference: Reference) -> Self {
        self.by_sex(reference, reference)
    }

    pub(super) const fn by_sex(mut self, female: Reference, male: Reference) -> Self {
        self.female = female;
        self.male = male;
        self
    }

    pub(super) fn measured(&self, patient: Patient, value: f32) -> Measurement {
        let reference = match patient.sex {
            Sex::Female => self.female,
            Sex::Male => self.male,
        };
        let shown = format!("{value:.*}", self.decimals);
        // The flag goes by the number the reader sees, not by the digits cut off.
        let value = shown.parse().unwrap_or(value);
        Measurement {
            name: self.name,
            method: self.method,
            unit: self.unit,
            flag: reference.flag(value),
            value: Value::Number {
                value,
                shown,
                reference,
                decimals: self.decimals,
            },
        }
    }
}

/// A quality seen rather than measured: colour, presence, appearance.
#[derive(Clone, Copy)]
pub(super) struct Quality {
    pub(super) name: Words,
    pub(super) method: &'static str,
    pub(super) unit: &'static str,
    pub(super) expected: Words,
}

impl Quality {
    pub(super) fn normal(&self) -> Measurement {
        self.observed(self.expected, false)
    }

    pub(super) fn within(&self, seen: Words) -> Measurement {
        self.observed(seen, false)
    }

    pub(super) fn abnormal(&self, seen: Words) -> Measurement {
        self.observed(seen, true)
    }

    fn observed(&self, seen: Words, abnormal: bool) -> Measurement {
        Measurement {
            name: self.name,
            method: self.method,
            unit: self.unit,
            flag: abnormal.then_some(Flag::Abnormal),
            value: Value::Quality {
                seen,
                expected: self.expected,
            },
        }
    }
}

pub(in super::super) enum Value {
    Number {
        value: f32,
        shown: String,
        reference: Reference,
        decimals: usize,
    },
    Quality {
        seen: Words,
        expected: Words,
    },
}

/// One line of the results table.
pub(in super::super) struct Measurement {
    pub(in super::super) name: Words,
    pub(in super::super) method: &'static str,
    pub(in super::super) unit: &'static str,
    pub(in super::super) value: Value,
    pub(in super::super) flag: Option<Flag>,
}

impl Measurement {
    pub(in super::super) fn result(&self, language: Language) -> &str {
        match &self.value {
            Value::Number { shown, .. } => shown,
            Value::Quality { seen, .. } => seen.to(language),
        }
    }

    pub(in super::super) fn reference(&self, language: Language) -> String {
        match &self.value {
            Value::Number {
                reference,
                decimals,
                ..
            } => reference.text(*decimals),
            Value::Quality { expected, .. } => expected.to(language).to_owned(),
        }
    }
}

pub(in super::super) struct Section {
    pub(in super::super) title: Words,
    pub(in super::super) rows: Vec<Measurement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Tone {
    Good,
    Watch,
    Alert,
}

/// One step of a scale, up to but not including its limit.
#[derive(Clone, Copy)]
pub(in super::super) struct Band {
    pub(in super::super) limit: f32,
    pub(in super::super) label: Words,
    pub(in super::super) range: &'static str,
    pub(in super::super) tone: Tone,
}

/// A scale that says what a value means, with the patient's place on it.
pub(in super::super) struct Guide {
    pub(in super::super) title: Words,
    pub(in super::super) bands: &'static [Band],
    pub(in super::super) value: f32,
}

impl Guide {
    /// The band the value falls in: the first whose limit it stays below.
    pub(in super::super) fn current(&self) -> Option<usize> {
        self.bands.iter().position(|band| self.value < band.limit)
    }
}

pub(super) const ALL_NORMAL: Words = words(
    "All parameters are within the reference interval.",
    "सभी मान संदर्भ सीमा के भीतर हैं।",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_says_on_which_side_a_value_leaves_the_reference() {
        let range = Reference::Between(3.5, 5.1);
        assert_eq!(range.flag(3.4), Some(Flag::Low));
        assert_eq!(range.flag(3.5), None);
        assert_eq!(range.flag(5.2), Some(Flag::High));
        assert_eq!(Reference::Below(200.0).flag(200.0), Some(Flag::High));
        assert_eq!(Reference::Above(40.0).flag(41.0), None);
    }

    #[test]
    fn a_value_is_flagged_as_it_is_printed() {
        let potassium = Analyte::new(words("Potassium", "पोटैशियम"), "", "mmol/L", 1)
            .normally(Reference::Between(3.5, 5.1));
        let patient = Patient {
            age: 40,
            sex: Sex::Female,
        };
        let measurement = potassium.measured(patient, 5.13);
        assert_eq!(measurement.result(Language::English), "5.1");
        assert_eq!(measurement.flag, None);
    }
}
