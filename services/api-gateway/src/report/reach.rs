use attachments::MediaType;
use domain::{Language, text::Variable};
use http::StatusCode;
use sealed_records::ReportContent;
use storage::templates::Template;
use web::Problem;

use crate::gateway::Lab;

/// Outside the 24-hour window only an approved template may be sent: whether the lab has one that fits.
pub(crate) fn check_template(
    lab: &Lab,
    content: &ReportContent,
    media_type: Option<MediaType>,
) -> Result<(), Problem> {
    let header = header(media_type);
    let fits =
        |template: &&Template| template.header == header && is_in(template, content.language);
    let mut fitting = lab.templates.iter().filter(fits).peekable();
    if fitting.peek().is_none() {
        return Err(not_found(missing_template(lab, content.language, header)));
    }
    let variables = content.variables(&lab.tenant.name);
    let is_missing = |name: &&String| {
        let variable = name.parse::<Variable>().ok();
        variable
            .and_then(|it| variables.value(it, content.language))
            .is_none()
    };
    let mut lacking = Vec::new();
    for template in fitting {
        match template.parameters.iter().find(is_missing) {
            None => return Ok(()),
            Some(parameter) => lacking.push(format!("{} needs {parameter}", template.name)),
        }
    }
    Err(not_found(format!(
        "the patient has not written in the last 24 hours, and the report does not give what a template needs: {}",
        lacking.join(", ")
    )))
}

fn header(media_type: Option<MediaType>) -> &'static str {
    match media_type {
        Some(MediaType::Pdf) => "document",
        Some(MediaType::Jpeg | MediaType::Png) => "image",
        None => "none",
    }
}

fn is_in(template: &Template, language: Language) -> bool {
    template
        .language
        .parse::<Language>()
        .is_ok_and(|it| it == language)
}

fn missing_template(lab: &Lab, language: Language, header: &str) -> String {
    let missing = if lab.templates.is_empty() {
        "no template".to_owned()
    } else if lab
        .templates
        .iter()
        .any(|template| template.header == header)
    {
        format!("no template with header {header} in language {language}")
    } else {
        format!("no template with header {header}")
    };
    format!("the patient has not written in the last 24 hours, and this lab has {missing}")
}

fn not_found(detail: String) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "TEMPLATE_NOT_FOUND",
        "No template can carry this report",
    )
    .detail(detail)
}
