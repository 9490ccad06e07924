use attachments::MediaType;

#[test]
fn a_media_type_is_read_back_from_its_mime_type() {
    for media_type in MediaType::ALL {
        assert_eq!(media_type.as_mime().parse(), Ok(media_type));
    }
    assert_eq!("IMAGE/PNG".parse(), Ok(MediaType::Png));
    assert!("image/gif".parse::<MediaType>().is_err());
}

#[test]
fn files_are_told_by_their_first_bytes() {
    let cases: [(&[u8], Option<MediaType>); 9] = [
        (b"%PDF-", Some(MediaType::Pdf)),
        (b"%PDF-1.4 not really", Some(MediaType::Pdf)),
        (b"\xFF\xD8\xFF\xE0", Some(MediaType::Jpeg)),
        (b"\x89PNG\r\n\x1A\n\0", Some(MediaType::Png)),
        (b"%PDF", None),
        (b"\x89PNG", None),
        (b"GIF89a", None),
        (b"MZ\x90\0", None),
        (b"<html>%PDF-", None),
    ];
    for (start, expected) in cases {
        assert_eq!(MediaType::sniff(start), expected, "{start:?}");
    }
}
