use super::*;

const LANGUAGES: [Language; 2] = [Language::English, Language::Hindi];

fn spec(test: Panel, language: Language, seed: u64) -> ReportSpec {
    ReportSpec {
        lab_name: "Nirmal Diagnostics".to_owned(),
        lab_tagline: "सटीक परिणाम, समय पर".to_owned(),
        patient_name: "Jyotsna Deshpande".to_owned(),
        age: 47,
        sex: Sex::Female,
        test,
        doctor_name: "डॉ. श्रीनिवास अय्यर".to_owned(),
        report_date: NaiveDate::from_ymd_opt(2026, 3, 14).unwrap(),
        sample_id: "ND26031442".to_owned(),
        language,
        seed,
    }
}

/// The text of each page, as another program reads it.
fn pages_of(pdf: &[u8]) -> Vec<String> {
    let document = lopdf::Document::load_mem(pdf).unwrap();
    let pages = document.get_pages();
    pages
        .keys()
        .map(|page| document.extract_text(&[*page]).unwrap())
        .collect()
}

#[test]
fn every_panel_in_both_languages_names_the_patient_and_the_sample_on_every_page() {
    for test in Panel::ALL {
        for language in LANGUAGES {
            let pdf = sample_report(&spec(test, language, 1));
            assert!(pdf.starts_with(b"%PDF-1."), "{test:?}, {language:?}");
            assert!(
                pdf.trim_ascii_end().ends_with(b"%%EOF"),
                "{test:?}, {language:?}"
            );
            assert!(
                pdf.len() < 120 * 1024,
                "{test:?}, {language:?}: {} bytes",
                pdf.len()
            );
            let pages = pages_of(&pdf);
            assert_eq!(pages.len(), if test == Panel::HealthCheck { 2 } else { 1 });
            for page in pages {
                assert!(
                    page.contains("Jyotsna Deshpande"),
                    "{test:?}, {language:?}: {page}"
                );
                assert!(
                    page.contains("ND26031442"),
                    "{test:?}, {language:?}: {page}"
                );
            }
        }
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let spec = spec(Panel::Lipid, Language::Hindi, 5);
    assert_eq!(sample_report(&spec), sample_report(&spec.clone()));
}

#[test]
fn another_seed_gives_other_results() {
    let results = |seed| {
        let pages = pages_of(&sample_report(&spec(Panel::Lipid, Language::English, seed)));
        let (_, table) = pages[0].split_once("Reference interval").unwrap();
        table.to_owned()
    };
    assert_ne!(results(5), results(6));
}

#[test]
fn an_english_report_shows_tests_units_and_references() {
    let pages = pages_of(&sample_report(&spec(Panel::Kidney, Language::English, 3)));
    for text in [
        "Kidney Function Test",
        "Creatinine",
        "mmol/L",
        "136 – 145",
        "14 Mar 2026",
        "47 years / Female",
    ] {
        assert!(
            pages[0].contains(text),
            "{text} is missing from {}",
            pages[0]
        );
    }
}

#[test]
fn text_no_font_can_show_still_gives_a_report() {
    let mut spec = spec(Panel::Thyroid, Language::English, 1);
    spec.patient_name = "வள்ளி 🙂".to_owned();
    spec.doctor_name = String::new();
    spec.sample_id = "*".to_owned();
    assert_eq!(pages_of(&sample_report(&spec)).len(), 1);
}
