use std::{error::Error, sync::Arc};

use attachments::{MediaType, ObjectKey, PutError, Stored};
use bytes::Bytes;
use domain::AttachmentId;
use futures::Stream;
use http::StatusCode;
use sealed_records::TenantRecords;
use web::Problem;

use crate::{
    error::{ApiError, invalid},
    gateway::Gateway,
    metrics,
    report::FILE_FIELD,
};

/// Takes a lab's report files.
pub(crate) struct Uploads {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) lab: domain::TenantId,
    pub(crate) records: TenantRecords,
}

impl Uploads {
    /// Stores a file as it arrives. `unreadable` says what it means that it did not arrive whole.
    pub(crate) async fn store<S, E>(
        &self,
        body: S,
        unreadable: fn(&E) -> Problem,
    ) -> Result<StoredFile, ApiError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Error + Send + 'static,
    {
        let id = AttachmentId::new_at(self.gateway.now());
        let key = ObjectKey::new(self.lab.as_uuid(), id.as_uuid());
        let limit_bytes = self.gateway.max_file_bytes;
        let files = &self.gateway.files;
        let stored = files.put(&key, self.records.file_key(), body, limit_bytes);
        let stored = stored.await.map_err(|error| match error {
            PutError::Empty => invalid(FILE_POINTER, "the file is empty").into(),
            PutError::UnsupportedType => unsupported().into(),
            PutError::TooLarge { limit_bytes } => too_large(limit_bytes).into(),
            PutError::Body(error) => unreadable(&error).into(),
            PutError::Storage(error) => ApiError::Files(error),
        })?;
        Ok(StoredFile {
            gateway: Arc::clone(&self.gateway),
            id,
            key,
            stored,
            kept: false,
        })
    }
}

const FILE_POINTER: &str = "/report_file";

pub(super) fn too_large(limit_bytes: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "FILE_SIZE_EXCEEDED",
        "The report file is too large",
    )
    .pointer_detail(
        FILE_POINTER,
        format!("expected at most {limit_bytes} bytes"),
    )
}

fn unsupported() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_FILE_TYPE",
        "The report file is of no supported type",
    )
    .pointer_detail(
        FILE_POINTER,
        format!("expected a PDF, JPEG or PNG in {FILE_FIELD}"),
    )
}

/// A file in the store that no message has yet. Dropped, it is removed: the request failed, or its client went away.
pub(crate) struct StoredFile {
    gateway: Arc<Gateway>,
    key: ObjectKey,
    kept: bool,
    pub(crate) id: AttachmentId,
    pub(crate) stored: Stored,
}

impl StoredFile {
    /// A message may have it from now on.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// No message has it after all.
    pub(crate) fn discard(mut self) {
        self.kept = false;
    }

    /// Whether a message has it is unknown, so it stays: better a file too many than a report without one.
    pub(crate) fn leave_in_doubt(mut self) {
        self.kept = true;
        metrics::file_in_doubt();
        tracing::warn!(attachment = %self.id, "kept a file of which it is unknown whether a message has it");
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (files, key, id) = (self.gateway.files.clone(), self.key, self.id);
        self.gateway.lifecycle.spawn("removing a file", async move {
            if let Err(error) = files.delete(&key).await {
                let error = &error as &dyn Error;
                tracing::warn!(error, attachment = %id, "could not remove a file without a message");
            }
        });
    }
}

/// What the patient sees the file called: the name that was given, else the test's, and the ending that its bytes say.
pub(crate) fn file_name(
    given: Option<&str>,
    test_name: Option<&str>,
    media_type: MediaType,
) -> String {
    let name = given.or(test_name).unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match name.rsplit_once('.') {
        Some((stem, ending)) if is_ending_of(ending, media_type) => stem,
        _ => name,
    };
    let stem = stem.trim().trim_matches('.');
    let stem = if stem.is_empty() { "report" } else { stem };
    format!("{stem}.{}", media_type.extension())
}

fn is_ending_of(ending: &str, media_type: MediaType) -> bool {
    let ending = ending.to_ascii_lowercase();
    ending == media_type.extension() || (media_type == MediaType::Jpeg && ending == "jpeg")
}

#[cfg(test)]
mod tests {
    use super::{MediaType, file_name};

    #[test]
    fn a_file_is_called_by_its_name_its_test_or_report() {
        let pdf = |given, test| file_name(given, test, MediaType::Pdf);
        assert_eq!(pdf(Some("CBC.pdf"), Some("x")), "CBC.pdf");
        assert_eq!(pdf(Some("CBC.PDF"), None), "CBC.pdf");
        assert_eq!(pdf(Some("CBC"), None), "CBC.pdf");
        assert_eq!(pdf(Some("C:\\lab\\CBC.pdf"), None), "CBC.pdf");
        assert_eq!(pdf(Some("../../etc/passwd"), None), "passwd.pdf");
        assert_eq!(pdf(None, Some("Vitamin B.12")), "Vitamin B.12.pdf");
        assert_eq!(pdf(None, None), "report.pdf");
        assert_eq!(pdf(Some(".."), None), "report.pdf");
        assert_eq!(
            file_name(Some("scan.jpeg"), None, MediaType::Jpeg),
            "scan.jpg"
        );
        assert_eq!(
            file_name(Some("scan.pdf"), None, MediaType::Png),
            "scan.pdf.png"
        );
    }
}
