//! The requests that S3 sees. Whether S3 honours them is for S3.

use attachments::{AttachmentStore, PutError, S3Options};
use bytes::Bytes;
use wiremock::matchers::{header_exists, method, path, query_param, query_param_contains};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{ANY_SIZE, KEY, MIB, data_key, pdf, pieces};

const SECRET: &str = "a-secret-access-key";

fn options(server: &MockServer) -> S3Options {
    S3Options {
        endpoint: Some(server.uri().parse().unwrap()),
        region: Some("ap-south-1".to_owned()),
        access_key_id: Some("AKIAEXAMPLE".to_owned()),
        secret_access_key: Some(SECRET.into()),
        allow_http: true,
    }
}

fn open(server: &MockServer) -> AttachmentStore {
    let url = "s3://reports/labwire".parse().unwrap();
    AttachmentStore::from_url(&url, &options(server)).unwrap()
}

fn object_path() -> String {
    format!("/reports/labwire/{KEY}")
}

async fn mock_multipart(server: &MockServer) {
    let created =
        "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    Mock::given(method("POST"))
        .and(path(object_path()))
        .and(query_param("uploads", ""))
        .respond_with(ResponseTemplate::new(200).set_body_string(created))
        .expect(1)
        .mount(server)
        .await;
    Mock::given(method("PUT"))
        .and(path(object_path()))
        .and(query_param("uploadId", "u1"))
        .respond_with(ResponseTemplate::new(200).insert_header("etag", "\"part\""))
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_small_file_is_one_signed_request_below_the_prefix() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path(object_path()))
        .and(header_exists("authorization"))
        .respond_with(ResponseTemplate::new(200).insert_header("etag", "\"whole\""))
        .expect(1)
        .mount(&server)
        .await;
    let file = pdf(1000);
    let put = open(&server)
        .put(&KEY, &data_key(), pieces(&file, 300), ANY_SIZE)
        .await;
    assert_eq!(put.unwrap().size_bytes, 1000);
    let requests = server.received_requests().await.unwrap();
    assert!(
        requests
            .iter()
            .all(|request| !request.body.starts_with(b"%PDF-"))
    );
}

#[tokio::test]
async fn a_large_file_is_sent_in_parts_and_completed() {
    let server = MockServer::start().await;
    mock_multipart(&server).await;
    let completed =
        "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
    Mock::given(method("POST"))
        .and(query_param("uploadId", "u1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(completed))
        .expect(1)
        .mount(&server)
        .await;
    let file = pdf(11 * MIB);
    open(&server)
        .put(&KEY, &data_key(), pieces(&file, MIB), ANY_SIZE)
        .await
        .unwrap();
    let parts = server.received_requests().await.unwrap();
    let parts = parts.iter().filter(|request| request.method == "PUT");
    assert_eq!(parts.count(), 3);
}

#[tokio::test]
async fn a_file_over_the_limit_is_aborted_and_never_completed() {
    let server = MockServer::start().await;
    mock_multipart(&server).await;
    Mock::given(method("DELETE"))
        .and(path(object_path()))
        .and(query_param_contains("uploadId", "u1"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let file = pdf(11 * MIB);
    let refused = open(&server)
        .put(&KEY, &data_key(), pieces(&file, MIB), 10 * MIB as u64)
        .await;
    assert!(matches!(refused, Err(PutError::TooLarge { .. })));
}

#[tokio::test]
async fn a_refusal_by_the_store_is_a_storage_error() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let body = pieces(&Bytes::from_static(b"%PDF-"), 5);
    let failed = open(&server).put(&KEY, &data_key(), body, ANY_SIZE).await;
    assert!(matches!(failed, Err(PutError::Storage(_))), "{failed:?}");
}

#[tokio::test]
async fn debug_output_shows_no_secret() {
    let server = MockServer::start().await;
    let shown = format!("{:?} {:?}", options(&server), open(&server));
    assert!(
        shown.contains("reports") && !shown.contains(SECRET),
        "{shown}"
    );
}
