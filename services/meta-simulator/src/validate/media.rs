use crate::errors::GraphError;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// MIME type, the kinds of message it fits, the largest file.
#[rustfmt::skip]
const SUPPORTED: &[(&str, &str, usize)] = &[
    ("audio/aac", "audio", 16 * MIB),
    ("audio/amr", "audio", 16 * MIB),
    ("audio/mpeg", "audio", 16 * MIB),
    ("audio/mp4", "audio", 16 * MIB),
    ("audio/ogg", "audio", 16 * MIB),
    ("text/plain", "document", 100 * MIB),
    ("application/pdf", "document", 100 * MIB),
    ("application/msword", "document", 100 * MIB),
    ("application/vnd.ms-excel", "document", 100 * MIB),
    ("application/vnd.ms-powerpoint", "document", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "document", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "document", 100 * MIB),
    ("image/jpeg", "image", 5 * MIB),
    ("image/png", "image", 5 * MIB),
    ("image/webp", "sticker", 500 * KIB),
    ("video/mp4", "video", 16 * MIB),
    ("video/3gpp", "video", 16 * MIB),
];

/// The largest file of all, and so the largest body an upload may have.
pub(crate) const LARGEST_UPLOAD: usize = 100 * MIB;

/// Why a file cannot be in a message of its kind; the text of the 131053 that follows.
pub(crate) struct Unfit(pub(crate) String);

fn essence(mime_type: &str) -> &str {
    mime_type.split(';').next().unwrap_or(mime_type).trim()
}

fn row(mime_type: &str) -> Option<&'static (&'static str, &'static str, usize)> {
    SUPPORTED
        .iter()
        .find(|(supported, ..)| *supported == essence(mime_type))
}

/// What an upload must fulfil: a known type, its size, and bytes that are of that type.
pub(crate) fn check_upload(mime_type: &str, bytes: &[u8]) -> Result<(), GraphError> {
    let Some((mime_type, _, largest)) = row(mime_type) else {
        let types: Vec<_> = SUPPORTED.iter().map(|(supported, ..)| *supported).collect();
        return Err(GraphError::invalid(format!(
            "Param file must be a file with one of the following types: {}. Received file of type '{mime_type}'.",
            types.join(", ")
        )));
    };
    if bytes.is_empty() || bytes.len() > *largest {
        return Err(GraphError::new(131_053).details(format!(
            "File size must be between 1 and {largest} bytes, got {}.",
            bytes.len()
        )));
    }
    if !looks_like(mime_type, bytes) {
        return Err(GraphError::new(131_053).details(format!(
            "The bytes of the file are not of the declared type {mime_type}."
        )));
    }
    Ok(())
}

/// Whether a file of this type can be the `kind` of message it is put in.
pub(crate) fn fits_message(kind: &str, mime_type: &str, size_bytes: usize) -> Result<(), Unfit> {
    let fits = |fitting: &str| fitting == kind || (kind == "document" && fitting != "sticker");
    match row(mime_type).filter(|(_, fitting, _)| fits(fitting)) {
        Some((_, _, largest)) if size_bytes <= *largest => Ok(()),
        Some((_, _, largest)) => Err(Unfit(format!(
            "Media file size too big. Max file size we support for {kind}: {largest} bytes."
        ))),
        None => Err(Unfit(format!("Unsupported {kind} mime type {mime_type}."))),
    }
}

/// Checked for the types whose first bytes say what they are.
fn looks_like(mime_type: &str, bytes: &[u8]) -> bool {
    match mime_type {
        "application/pdf" => bytes.starts_with(b"%PDF-"),
        "image/png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "image/webp" => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        "audio/ogg" => bytes.starts_with(b"OggS"),
        "video/mp4" | "audio/mp4" | "video/3gpp" => bytes.get(4..8) == Some(b"ftyp"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::pdf("application/pdf", b"%PDF-1.7", None)]
    #[case::png("image/png", b"\x89PNG\r\n\x1a\nxx", None)]
    #[case::parameters_are_ignored("audio/ogg; codecs=opus", b"OggS", None)]
    #[case::png_called_pdf("application/pdf", b"\x89PNG\r\n\x1a\n", Some(131_053))]
    #[case::empty("text/plain", b"", Some(131_053))]
    #[case::unknown_type("application/zip", b"PK", Some(100))]
    fn an_upload_is_checked(
        #[case] mime_type: &str,
        #[case] bytes: &[u8],
        #[case] code: Option<u32>,
    ) {
        assert_eq!(
            check_upload(mime_type, bytes).err().map(|error| error.code),
            code
        );
    }

    #[rstest]
    #[case("image", "image/png", 5 * MIB, true)]
    #[case("image", "image/png", 5 * MIB + 1, false)]
    #[case("image", "application/pdf", 1, false)]
    #[case("document", "image/png", 1, true)]
    #[case("document", "image/webp", 1, false)]
    #[case("sticker", "image/webp", 500 * KIB, true)]
    fn a_file_fits_its_message(
        #[case] kind: &str,
        #[case] mime_type: &str,
        #[case] size: usize,
        #[case] fits: bool,
    ) {
        assert_eq!(fits_message(kind, mime_type, size).is_ok(), fits);
    }
}
