//! What is known after a send that went wrong: nothing was written, something may have been done, or it was refused.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use providers::{SendError, Trouble};
use reqwest::{
    dns::{Name, Resolve, Resolving},
    redirect,
};
use rstest::rstest;
use tokio::{net::TcpListener, task::JoinSet};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    client, client_of, http, sender,
    server::{Act, Server},
    text,
};

const ACCEPTED: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 34\r\n\r\n{\"messages\":[{\"id\":\"wamid.HBgA\"}]}";

fn not_sent(error: &SendError) -> Trouble {
    match error {
        SendError::NotSent { source } => source.trouble,
        other => panic!("expected not sent, got {other:?}"),
    }
}

fn ambiguous(error: &SendError) -> Trouble {
    match error {
        SendError::Ambiguous { source } => source.trouble,
        other => panic!("expected ambiguous, got {other:?}"),
    }
}

async fn answer(status: u16, body: &str) -> MockServer {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(status).set_body_raw(body, "text/html");
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(&format!("http://{address}"))
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(not_sent(&error), Trouble::Unreachable);
}

struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async {
            Err::<Box<dyn Iterator<Item = SocketAddr> + Send>, _>("no such name".into())
        })
    }
}

#[tokio::test]
async fn an_unknown_name_sent_nothing() {
    let client = client_of(
        http().dns_resolver(Arc::new(NoNames)),
        "http://graph.example",
    );
    let error = client.send(&sender(), &text()).await.unwrap_err();
    assert_eq!(not_sent(&error), Trouble::Unreachable);
}

/// Answers whatever comes with something that is not TLS.
async fn plain_listener(tasks: &mut JoinSet<()>) -> SocketAddr {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 not TLS\r\n").await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_failed_tls_handshake_sent_nothing() {
    let mut tasks = JoinSet::new();
    let address = plain_listener(&mut tasks).await;
    let error = client(&format!("https://{address}"))
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(not_sent(&error), Trouble::Unreachable);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_ambiguous() {
    let server = Server::start([Act::Hang]).await;
    let client = client_of(http().timeout(Duration::from_millis(300)), &server.url);
    let error = client.send(&sender(), &text()).await.unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::TimedOut);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_is_ambiguous() {
    let server = Server::start([Act::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 33\r\n\r\n{\"mess",
    )])
    .await;
    let client = client_of(http().timeout(Duration::from_millis(300)), &server.url);
    let error = client.send(&sender(), &text()).await.unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::TimedOut);
}

#[rstest]
#[case::without_an_answer("")]
#[case::within_the_head("HTTP/1.1 200 O")]
#[case::within_the_body(
    "HTTP/1.1 200 OK\r\ncontent-length: 33\r\n\r\n{\"messages\":[{\"id\":\"wam"
)]
#[case::within_a_chunk("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n21\r\n{\"messages\"")]
#[tokio::test]
async fn a_connection_cut_after_the_request_is_ambiguous_and_not_repeated(
    #[case] written: &'static str,
) {
    let server = Server::start([Act::Cut(written), Act::Answer(ACCEPTED)]).await;
    let error = client(&server.url)
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::ConnectionLost);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_kept_connection_cut_after_its_second_request_is_ambiguous_and_not_repeated() {
    let server = Server::start([Act::Answer(ACCEPTED), Act::Cut(""), Act::Answer(ACCEPTED)]).await;
    let client = client(&server.url);
    client.send(&sender(), &text()).await.unwrap();
    let error = client.send(&sender(), &text()).await.unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::ConnectionLost);
    assert_eq!(server.requests(), 2);
}

#[rstest]
#[case::a_page_instead_of_an_answer(200, "<html>welcome</html>")]
#[case::nothing(200, "")]
#[case::no_message_id(200, r#"{"messaging_product":"whatsapp","messages":[]}"#)]
#[case::half_an_answer(200, r#"{"messages":[{"id":"wamid.HBgA""#)]
#[case::a_gateway_that_lost_its_server(502, "<html>Bad Gateway</html>")]
#[case::another_kind_of_error(500, r#"{"error":"server_error"}"#)]
#[case::an_error_without_a_code(500, r#"{"error":{"message":"Oops"}}"#)]
#[case::a_yes_with_a_bad_status(502, r#"{"messages":[{"id":"wamid.HBgA"}]}"#)]
#[case::half_an_error(400, r#"{"error":{"code":131009,"mess"#)]
#[case::a_proxy_that_refuses(403, "<html>Forbidden</html>")]
#[tokio::test]
async fn an_answer_without_the_providers_own_yes_or_no_is_ambiguous(
    #[case] status: u16,
    #[case] body: &str,
) {
    let server = answer(status, body).await;
    let error = client(&server.uri())
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::UnreadableAnswer { status });
}

#[tokio::test]
async fn an_answer_beyond_all_measure_is_ambiguous() {
    let yes = r#"{"messages":[{"id":"wamid.HBgA"}]}"#;
    let server = answer(200, &format!("{}{yes}", " ".repeat(5 * 1024 * 1024))).await;
    let error = client(&server.uri())
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::UnreadableAnswer { status: 200 });
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_message_on_even_if_the_client_follows_it() {
    let target = answer(200, r#"{"messages":[{"id":"wamid.HBgA"}]}"#).await;
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(307).insert_header("location", target.uri());
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    let client = client_of(http().redirect(redirect::Policy::limited(3)), &server.uri());
    let error = client.send(&sender(), &text()).await.unwrap_err();
    assert_eq!(ambiguous(&error), Trouble::UnreadableAnswer { status: 307 });
    assert!(target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_base_url_that_leads_nowhere_sent_nothing() {
    let error = client("mailto:nobody")
        .send(&sender(), &text())
        .await
        .unwrap_err();
    assert_eq!(not_sent(&error), Trouble::Unbuildable);
}
