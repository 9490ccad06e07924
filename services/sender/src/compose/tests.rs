use chrono::DateTime;
use domain::TenantId;

use super::*;

fn template(name: &str, language: &str, header: &str, parameters: &[&str]) -> Template {
    Template {
        id: TemplateId::new_at(DateTime::UNIX_EPOCH),
        tenant_id: TenantId::new_at(DateTime::UNIX_EPOCH),
        name: name.to_owned(),
        language: language.to_owned(),
        parameters: parameters.iter().map(ToString::to_string).collect(),
        header: header.to_owned(),
    }
}

fn chosen(
    templates: &[Template],
    language: Language,
    header: Option<MediaKind>,
) -> Result<String, String> {
    let report = ReportContent {
        patient_name: Some("Asha Rao".to_owned()),
        test_name: None,
        doctor_name: None,
        report_date: None,
        text: String::new(),
        language,
    };
    match from_template(templates, &report, "a lab", header) {
        Ok(Composition::Template { name, .. }) => Ok(name),
        Ok(Composition::FreeForm { .. }) => panic!("a template was asked for"),
        Err(cause) => Err(cause.detail),
    }
}

#[test]
fn the_language_of_the_report_comes_first_and_any_other_before_none() {
    let both = [
        template("english", "en_US", "none", &[]),
        template("hindi", "hi", "none", &[]),
    ];
    assert_eq!(chosen(&both, Language::Hindi, None), Ok("hindi".to_owned()));
    let one = &both[..1];
    assert_eq!(chosen(one, Language::Hindi, None), Ok("english".to_owned()));
}

#[test]
fn the_header_must_fit_the_file() {
    let all = [
        template("bare", "en", "none", &[]),
        template("scan", "en", "image", &[]),
        template("pdf", "en", "document", &[]),
    ];
    let english = |header| chosen(&all, Language::English, header);
    assert_eq!(english(None), Ok("bare".to_owned()));
    assert_eq!(english(Some(MediaKind::Image)), Ok("scan".to_owned()));
    assert_eq!(english(Some(MediaKind::Document)), Ok("pdf".to_owned()));
    assert!(chosen(&all[..2], Language::English, Some(MediaKind::Document)).is_err());
}

#[test]
fn what_is_lacking_is_said_without_patient_data() {
    let demanding = [template("a", "en", "none", &["patient_name", "test_name"])];
    let lacking = chosen(&demanding, Language::English, None);
    let expected = "the template needs a value that this report does not have";
    assert_eq!(lacking, Err(expected.to_owned()));
    let strange = [template("a", "en", "none", &["blood_group"])];
    let expected = "the template has a parameter that reports do not have";
    assert_eq!(
        chosen(&strange, Language::English, None),
        Err(expected.to_owned())
    );
}
