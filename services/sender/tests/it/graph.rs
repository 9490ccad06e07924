//! A Graph API that says yes until it is told otherwise.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use providers::meta::MetaClient;
use serde_json::{Value, json};
use service_runtime::http_client::{self, Timeouts};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{any, path_regex},
};

#[derive(Default)]
struct Script {
    next: VecDeque<ResponseTemplate>,
    otherwise: Option<ResponseTemplate>,
    accepted: usize,
}

#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Script>>);

pub(crate) struct Graph {
    server: MockServer,
    sends: Answers,
    uploads: Answers,
}

impl Graph {
    pub(crate) async fn start() -> Self {
        let graph = Self {
            server: MockServer::start().await,
            sends: Answers::default(),
            uploads: Answers::default(),
        };
        let media = Mock::given(path_regex("/media$")).respond_with(graph.uploads.clone());
        graph.server.register(media).await;
        let sends = Mock::given(any()).respond_with(graph.sends.clone());
        graph.server.register(sends).await;
        graph
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    pub(crate) fn client(&self) -> MetaClient {
        client(&self.url(), Duration::from_secs(10))
    }

    pub(crate) fn answer_send(&self, answer: ResponseTemplate) {
        self.sends.0.lock().unwrap().next.push_back(answer);
    }

    pub(crate) fn answer_sends(&self, answer: ResponseTemplate) {
        self.sends.0.lock().unwrap().otherwise = Some(answer);
    }

    pub(crate) fn answer_upload(&self, answer: ResponseTemplate) {
        self.uploads.0.lock().unwrap().next.push_back(answer);
    }

    /// The calls that would have reached a patient.
    pub(crate) async fn sends(&self) -> Vec<Request> {
        self.requests("/messages").await
    }

    pub(crate) async fn uploads(&self) -> Vec<Request> {
        self.requests("/media").await
    }

    /// The body of the only send.
    pub(crate) async fn only_send(&self) -> Value {
        let sends = self.sends().await;
        assert_eq!(sends.len(), 1);
        sends[0].body_json().unwrap()
    }

    async fn requests(&self, end: &str) -> Vec<Request> {
        let mut requests = self.server.received_requests().await.unwrap();
        requests.retain(|request| request.url.path().ends_with(end));
        requests
    }
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut script = self.0.lock().unwrap();
        if let Some(answer) = script.next.pop_front().or(script.otherwise.clone()) {
            return answer;
        }
        script.accepted += 1;
        let number = script.accepted;
        if request.url.path().ends_with("/media") {
            ResponseTemplate::new(200).set_body_json(json!({ "id": format!("media-{number}") }))
        } else {
            accepted(&format!("wamid.{number}"))
        }
    }
}

pub(crate) fn client(url: &str, timeout: Duration) -> MetaClient {
    let timeouts = Timeouts {
        total: timeout,
        read: timeout,
        ..Timeouts::default()
    };
    let http = http_client::new(timeouts, "tests").build().unwrap();
    MetaClient::new(http, url.parse().unwrap(), "v25.0".to_owned())
}

pub(crate) fn accepted(wamid: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "messaging_product": "whatsapp", "messages": [{ "id": wamid }],
    }))
}

/// The Graph API's own refusal.
pub(crate) fn refusal(code: i64) -> ResponseTemplate {
    ResponseTemplate::new(400).set_body_json(json!({
        "error": { "message": "said of Asha Rao", "code": code, "fbtrace_id": "trace" },
    }))
}

/// An answer that nobody can read: a proxy's page.
pub(crate) fn unreadable() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("<html>")
}

/// Takes a whole request and closes the connection without a word.
pub(crate) struct Slammer {
    pub(crate) url: String,
    pub(crate) taken: Arc<Mutex<usize>>,
    _server: JoinSet<()>,
}

impl Slammer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(0));
        let (count, mut server) = (Arc::clone(&taken), JoinSet::new());
        server.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                read_request(&mut stream).await;
                *count.lock().unwrap() += 1;
            }
        });
        Self {
            url,
            taken,
            _server: server,
        }
    }
}

/// Requests of these tests end with the object's last brace.
async fn read_request(stream: &mut TcpStream) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"}") && !request.ends_with(b"}\r\n0\r\n\r\n") {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the client gave up");
        request.extend_from_slice(&chunk[..read]);
    }
}
