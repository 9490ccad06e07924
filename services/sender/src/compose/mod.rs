//! What a message will look like: free-form or template, and with which values. Knows no provider's wire form.

use domain::{
    ErrorClass, FailureCause, Language, TemplateId,
    text::{Variable, caption},
};
use providers::{Content, HeaderMedia, MediaKind, TemplateParameter};
use sealed_records::ReportContent;
use storage::templates::Template;

use crate::{
    job::{Job, Trouble},
    media::{UploadedFile, kind_of},
};

/// What will be sent, before its file has an id at the provider.
pub(crate) enum Composition {
    /// Inside the 24-hour window.
    FreeForm { text: String },
    /// Outside of it.
    Template {
        id: TemplateId,
        name: String,
        language: String,
        body: Vec<TemplateParameter>,
    },
}

/// Chooses the kind of message: free-form inside the window, else the tenant's template. Or says why neither is possible.
pub(crate) fn compose(
    job: &Job,
    window_open: bool,
) -> Result<Result<Composition, FailureCause>, Trouble> {
    let report = job.account.records.open_report(&job.message.content)?;
    if window_open {
        return Ok(Ok(Composition::FreeForm { text: report.text }));
    }
    let header = (job.file.as_ref().map(|file| kind_of(&file.attachment))).transpose()?;
    Ok(from_template(
        &job.account.templates,
        &report,
        &job.account.tenant.name,
        header,
    ))
}

/// The first template that fits the file and whose parameters the report gives: in the report's language, or in any other
/// one rather than none.
fn from_template(
    templates: &[Template],
    report: &ReportContent,
    lab_name: &str,
    header: Option<MediaKind>,
) -> Result<Composition, FailureCause> {
    let header = match header {
        Some(MediaKind::Document) => "document",
        Some(MediaKind::Image) => "image",
        None => "none",
    };
    let is_foreign = |template: &&Template| {
        let language = template.language.parse::<Language>();
        !language.is_ok_and(|language| language == report.language)
    };
    let mut fitting: Vec<&Template> = templates.iter().filter(|it| it.header == header).collect();
    fitting.sort_by_key(is_foreign);
    let mut lacking = None;
    for template in fitting {
        match parameters(template, report, lab_name) {
            Ok(body) => {
                return Ok(Composition::Template {
                    id: template.id,
                    name: template.name.clone(),
                    language: template.language.clone(),
                    body,
                });
            }
            Err(cause) => lacking = lacking.or(Some(cause)),
        }
    }
    Err(lacking.unwrap_or_else(|| {
        cause("the 24-hour window is closed and no template of this lab fits the report")
    }))
}

fn parameters(
    template: &Template,
    report: &ReportContent,
    lab_name: &str,
) -> Result<Vec<TemplateParameter>, FailureCause> {
    let variables = report.variables(lab_name);
    template
        .parameters
        .iter()
        .map(|name| {
            let variable: Variable = name
                .parse()
                .map_err(|_| cause("the template has a parameter that reports do not have"))?;
            let text = variables.value(variable, report.language);
            let text = text.ok_or_else(|| {
                cause("the template needs a value that this report does not have")
            })?;
            Ok(TemplateParameter {
                name: Some(name.clone()),
                text,
            })
        })
        .collect()
}

fn cause(detail: &str) -> FailureCause {
    FailureCause {
        code: None,
        class: ErrorClass::Template,
        detail: detail.to_owned(),
    }
}

impl Composition {
    pub(crate) fn template(&self) -> Option<TemplateId> {
        match self {
            Self::Template { id, .. } => Some(*id),
            Self::FreeForm { .. } => None,
        }
    }

    pub(crate) fn without_file(self) -> Content {
        match self {
            Self::FreeForm { text } => Content::Text {
                body: text,
                preview_url: false,
            },
            Self::Template {
                name,
                language,
                body,
                ..
            } => Content::template(name, language, None, body),
        }
    }

    pub(crate) fn with_file(self, file: &UploadedFile) -> Content {
        let (media_id, filename) = (file.media_id.clone(), file.filename.clone());
        match (self, file.kind) {
            (Self::FreeForm { text }, MediaKind::Document) => Content::Document {
                media_id,
                filename: Some(filename),
                caption: Some(caption(&text)),
            },
            (Self::FreeForm { text }, MediaKind::Image) => Content::Image {
                media_id,
                caption: Some(caption(&text)),
            },
            (
                Self::Template {
                    name,
                    language,
                    body,
                    ..
                },
                kind,
            ) => {
                let media = HeaderMedia {
                    kind,
                    media_id,
                    filename: (kind == MediaKind::Document).then_some(filename),
                };
                Content::template(name, language, Some(media), body)
            }
        }
    }
}

#[cfg(test)]
mod tests;
