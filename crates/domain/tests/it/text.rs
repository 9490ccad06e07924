use chrono::NaiveDate;
use domain::text::{
    CAPTION_CHARACTERS, Variable, caption, default_message, format_date, render, variables_in,
};
use domain::{Language, ReportVariables, TemplateError};
use proptest::prelude::*;
use rstest::rstest;

fn report() -> ReportVariables {
    ReportVariables {
        patient_name: Some("Asha Rao".to_owned()),
        test_name: Some("Complete Blood Count".to_owned()),
        doctor_name: Some("Dr. Smith".to_owned()),
        report_date: NaiveDate::from_ymd_opt(2026, 11, 21),
        lab_name: Some("City Lab".to_owned()),
    }
}

#[test]
fn every_placeholder_is_filled() {
    let template = "{{patient_name}}|{{test_name}}|{{doctor_name}}|{{report_date}}|{{lab_name}}";
    assert_eq!(
        render(template, &report(), Language::English).unwrap(),
        "Asha Rao|Complete Blood Count|Dr. Smith|21 November 2026|City Lab"
    );
}

#[rstest]
#[case("no placeholder", "no placeholder")]
#[case("", "")]
#[case("{{ lab_name }} {{\tlab_name\n}}", "City Lab City Lab")]
#[case("{single} }} {", "{single} }} {")]
#[case("{{lab_name}}{{lab_name}}", "City LabCity Lab")]
#[case("नमस्ते {{lab_name}}!", "नमस्ते City Lab!")]
fn the_rest_of_the_text_stays_as_it_is(#[case] template: &str, #[case] rendered: &str) {
    assert_eq!(
        render(template, &report(), Language::English).unwrap(),
        rendered
    );
}

#[rstest]
#[case("{{age}}", TemplateError::UnknownPlaceholder("age".to_owned()))]
#[case("{{}}", TemplateError::UnknownPlaceholder(String::new()))]
#[case("{{Patient_Name}}", TemplateError::UnknownPlaceholder("Patient_Name".to_owned()))]
#[case("{{1}}", TemplateError::UnknownPlaceholder("1".to_owned()))]
#[case("ends with {{lab_name", TemplateError::Unclosed)]
fn a_message_with_a_mistake_is_refused(#[case] template: &str, #[case] error: TemplateError) {
    assert_eq!(
        render(template, &report(), Language::English),
        Err(error.clone())
    );
    assert_eq!(variables_in(template), Err(error));
}

#[test]
fn errors_name_the_placeholder_and_the_known_ones() {
    let unknown = TemplateError::UnknownPlaceholder("age".to_owned());
    assert_eq!(
        unknown.to_string(),
        "unknown placeholder {{age}}, expected one of: patient_name, test_name, doctor_name, report_date, lab_name"
    );
    let missing = TemplateError::MissingValue(Variable::DoctorName);
    assert_eq!(
        missing.to_string(),
        "the message uses {{doctor_name}}, which the report does not give"
    );
}

#[rstest]
#[case(None)]
#[case(Some(""))]
#[case(Some(" \n"))]
fn a_missing_or_blank_value_is_named(#[case] doctor: Option<&str>) {
    let report = ReportVariables {
        doctor_name: doctor.map(str::to_owned),
        ..report()
    };
    assert_eq!(
        render("Dr {{doctor_name}}", &report, Language::English),
        Err(TemplateError::MissingValue(Variable::DoctorName))
    );
    assert!(render("{{lab_name}}", &report, Language::English).is_ok());
}

#[test]
fn a_value_is_never_expanded_again() {
    let report = ReportVariables {
        patient_name: Some("{{lab_name}} {{".to_owned()),
        ..report()
    };
    assert_eq!(
        render("{{patient_name}} {{test_name}}", &report, Language::English).unwrap(),
        "{{lab_name}} {{ Complete Blood Count"
    );
}

#[test]
fn a_forgotten_closing_does_not_leak_the_message_into_the_error() {
    let template = format!("{{{{lab_name {} }}}}", "secret ".repeat(50));
    let message = variables_in(&template).unwrap_err().to_string();
    assert!(message.matches("secret").count() < 6, "{message}");
}

#[test]
fn the_default_message_needs_no_doctor_and_no_date() {
    for language in Language::ALL {
        let variables = variables_in(default_message(*language)).unwrap();
        assert!(!variables.contains(&Variable::DoctorName), "{language}");
        assert!(!variables.contains(&Variable::ReportDate), "{language}");
        let rendered = render(default_message(*language), &report(), *language).unwrap();
        assert_eq!(caption(&rendered), rendered, "{language}");
    }
}

#[rstest]
#[case((2026, 11, 21), Language::English, "21 November 2026")]
#[case((2026, 11, 21), Language::Hindi, "21 नवंबर 2026")]
#[case((2024, 2, 29), Language::Hindi, "29 फ़रवरी 2024")]
#[case((2026, 1, 1), Language::English, "1 January 2026")]
#[case((2026, 12, 31), Language::English, "31 December 2026")]
fn dates_are_written_in_words(
    #[case] (year, month, day): (i32, u32, u32),
    #[case] language: Language,
    #[case] words: &str,
) {
    let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
    assert_eq!(format_date(date, language), words);
}

#[rstest]
#[case("en", Language::English)]
#[case("en_US", Language::English)]
#[case("en-GB", Language::English)]
#[case("HI", Language::Hindi)]
#[case("hi_IN", Language::Hindi)]
fn a_language_is_known_in_every_region(#[case] tag: &str, #[case] language: Language) {
    assert_eq!(tag.parse(), Ok(language));
    assert_eq!(
        serde_json::from_value::<Language>(tag.into()).unwrap(),
        language
    );
    assert_eq!(serde_json::to_value(language).unwrap(), language.as_str());
}

#[rstest]
#[case("")]
#[case("english")]
#[case("mr_IN")]
fn an_unknown_language_is_refused(#[case] tag: &str) {
    let error = tag.parse::<Language>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown language, expected one of: en, hi"
    );
}

#[test]
fn patient_data_is_never_shown() {
    assert_eq!(format!("{:?}", report()), "ReportVariables(redacted)");
}

#[test]
fn variables_read_back_from_json_and_may_be_left_out() {
    let json = serde_json::to_string(&report()).unwrap();
    assert_eq!(
        serde_json::from_str::<ReportVariables>(&json).unwrap(),
        report()
    );
    let empty = serde_json::from_str::<ReportVariables>("{}").unwrap();
    assert_eq!(empty, ReportVariables::default());
}

#[test]
fn a_caption_is_cut_by_characters_not_bytes() {
    let fits = "न".repeat(CAPTION_CHARACTERS);
    assert_eq!(caption(&fits), fits);
    let cut = caption(&"न".repeat(CAPTION_CHARACTERS + 1));
    assert_eq!(cut.chars().count(), CAPTION_CHARACTERS);
    assert!(cut.ends_with("न…"));
}

proptest! {
    #[test]
    fn no_message_breaks_rendering(template in "(\\{\\{|\\}\\}|lab_name|[ {}aन])*") {
        let checked = variables_in(&template).map(drop);
        let rendered = render(&template, &report(), Language::Hindi).map(drop);
        prop_assert_eq!(checked, rendered);
    }
}
