use std::str::FromStr;

use thiserror::Error;

/// The kinds of file a report may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    Pdf,
    Jpeg,
    Png,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the media type of a PDF, JPEG or PNG")]
pub struct UnknownMediaType;

impl MediaType {
    pub const ALL: [Self; 3] = [Self::Pdf, Self::Jpeg, Self::Png];

    /// As many bytes as the longest signature.
    pub(crate) const SNIFFED_BYTES: usize = 8;

    pub const fn as_mime(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    pub const fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// Judges by the signature at the start; what follows is for the recipient's viewer.
    pub fn sniff(start: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|media_type| start.starts_with(media_type.signature()))
    }

    const fn signature(self) -> &'static [u8] {
        match self {
            Self::Pdf => b"%PDF-",
            Self::Jpeg => b"\xFF\xD8\xFF",
            Self::Png => b"\x89PNG\r\n\x1A\n",
        }
    }
}

impl FromStr for MediaType {
    type Err = UnknownMediaType;

    fn from_str(mime: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|media_type| media_type.as_mime().eq_ignore_ascii_case(mime))
            .ok_or(UnknownMediaType)
    }
}
