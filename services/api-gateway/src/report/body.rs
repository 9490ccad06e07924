use axum::{
    body::Bytes,
    extract::{
        FromRequest as _, Multipart, Request,
        multipart::{Field, MultipartError},
    },
};
use base64::{
    DecodeError, Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use futures::{Stream, stream};
use http::{HeaderMap, StatusCode, header};
use web::{Problem, ValidJson};

use super::{
    fields::ReportFields,
    file::{StoredFile, Uploads, too_large},
};
use crate::error::{ApiError, invalid};

/// The field that holds the report.
pub(crate) const FILE_FIELD: &str = "report_file";

/// What all the other fields of a body may take.
const SLACK_BYTES: u64 = 64 * 1024;
const FIELD_BYTES: usize = 32 * 1024;
/// Base64 is decoded piece by piece: a multiple of four characters.
const PIECE_CHARACTERS: usize = 64 * 1024;

/// The largest body whose file can be within the limit, in the longer of the two forms.
pub(crate) fn body_limit(max_file_bytes: u64) -> u64 {
    max_file_bytes
        .div_ceil(3)
        .saturating_mul(4)
        .saturating_add(SLACK_BYTES)
}

/// A report's fields and its file: a form's is stored already, that of JSON still waits in its text.
pub(crate) struct Incoming {
    pub(crate) fields: ReportFields,
    pub(crate) file: IncomingFile,
}

pub(crate) enum IncomingFile {
    Absent,
    Stored(StoredFile),
    Base64(String),
}

impl IncomingFile {
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(crate) async fn store(self, uploads: &Uploads) -> Result<Option<StoredFile>, ApiError> {
        match self {
            Self::Absent => Ok(None),
            Self::Stored(file) => Ok(Some(file)),
            Self::Base64(text) => uploads
                .store(decoded(text), malformed_base64)
                .await
                .map(Some),
        }
    }
}

/// Reads the body in either form.
pub(crate) async fn read(request: Request, uploads: &Uploads) -> Result<Incoming, ApiError> {
    if is_form(request.headers()) {
        let form = Multipart::from_request(request, &()).await;
        let form = form.map_err(|_| malformed_form("it has no usable boundary"))?;
        return read_form(form, uploads).await;
    }
    let limit_bytes = uploads.gateway.max_file_bytes;
    let ValidJson(mut fields) = ValidJson::<ReportFields>::from_request(request, &())
        .await
        .map_err(|problem| match problem.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(limit_bytes),
            _ => problem,
        })?;
    let file = fields.report_file.take();
    Ok(Incoming {
        fields,
        file: file.map_or(IncomingFile::Absent, IncomingFile::Base64),
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}

async fn read_form(mut form: Multipart, uploads: &Uploads) -> Result<Incoming, ApiError> {
    let mut fields = ReportFields::default();
    let mut file = IncomingFile::Absent;
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|error| unreadable_form(&error))?
    {
        let name = field.name().unwrap_or_default().to_owned();
        if name == FILE_FIELD {
            if file.is_present() {
                return Err(invalid(format!("/{name}"), "given more than once").into());
            }
            let filename = field.file_name().map(str::to_owned);
            file = IncomingFile::Stored(uploads.store(field, unreadable_form).await?);
            // A name of its own goes first.
            fields.report_filename = fields.report_filename.or(filename);
        } else if let Some(slot) = fields.slot(&name) {
            let text = read_text(&name, field).await?;
            // The file's own name is only the second choice for this one.
            if slot.is_some() && name != "report_filename" {
                return Err(invalid(format!("/{name}"), "given more than once").into());
            }
            *slot = Some(text);
        }
    }
    Ok(Incoming { fields, file })
}

async fn read_text(name: &str, mut field: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field
        .chunk()
        .await
        .map_err(|error| unreadable_form(&error))?
    {
        if bytes.len() + chunk.len() > FIELD_BYTES {
            let detail = format!("expected at most {FIELD_BYTES} bytes");
            return Err(invalid(format!("/{name}"), detail));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| invalid(format!("/{name}"), "expected UTF-8"))
}

/// Decodes as it is read, so that no second copy of the whole file is made.
fn decoded(text: String) -> impl Stream<Item = Result<Bytes, DecodeError>> + Send {
    stream::unfold((text, 0), |(text, from)| async move {
        let rest = text
            .as_bytes()
            .get(from..)
            .filter(|rest| !rest.is_empty())?;
        let (piece, decoded) = match rest.split_at_checked(PIECE_CHARACTERS) {
            // Padding may stand at the end of the whole only.
            Some((piece, more)) if !more.is_empty() => (piece.len(), STANDARD_NO_PAD.decode(piece)),
            _ => (rest.len(), STANDARD.decode(rest)),
        };
        let next = from + piece;
        Some((decoded.map(Bytes::from), (text, next)))
    })
}

fn malformed_base64(_: &DecodeError) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "MALFORMED_BASE64",
        "The report file is not base64",
    )
    .pointer_detail(
        "/report_file",
        "expected base64 with padding, without line breaks",
    )
}

fn unreadable_form(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "FILE_SIZE_EXCEEDED",
            "The request is larger than any report may be",
        )
    } else {
        malformed_form("it breaks off, or its parts are not well-formed")
    }
}

fn malformed_form(detail: &'static str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "MALFORMED_FORM",
        "The request body is not multipart/form-data",
    )
    .detail(detail)
}
