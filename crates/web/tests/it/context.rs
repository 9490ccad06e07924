use axum::{Router, body::Body, extract::Path, routing::get as on_get};
use http::{HeaderMap, Request};
use metrics_exporter_prometheus::PrometheusBuilder;
use web::{RequestId, TraceContext};

use crate::{Answer, get, send};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn asked(headers: &[(&str, &str)]) -> Answer {
    let router = Router::new()
        .route(
            "/id",
            on_get(|id: RequestId| async move { id.as_str().to_owned() }),
        )
        .route(
            "/trace",
            on_get(|trace: TraceContext| async move { trace.traceparent }),
        )
        .route(
            "/sensitive",
            on_get(|headers: HeaderMap| async move { format!("{headers:?}") }),
        );
    let (path, headers) = headers.split_first().unwrap();
    let mut request = Request::get(path.1);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_returned() {
    let answer = asked(&[("", "/id"), ("x-request-id", "lims-42.a_b:c")]).await;
    assert_eq!(answer.body, "lims-42.a_b:c");
    assert_eq!(answer.headers["x-request-id"], "lims-42.a_b:c");
}

#[tokio::test]
async fn a_harmful_request_id_is_replaced() {
    for id in ["", "<script>", "two words", &"x".repeat(129)] {
        let answer = asked(&[("", "/id"), ("x-request-id", id)]).await;
        assert_eq!(answer.body.len(), 36, "{id}");
        assert_eq!(answer.headers["x-request-id"], answer.body.as_str());
    }
}

#[tokio::test]
async fn a_trace_is_continued_under_a_span_of_our_own() {
    let ours = asked(&[("", "/trace"), ("traceparent", TRACEPARENT)])
        .await
        .body;
    assert!(
        ours.starts_with(&format!("00-{TRACE_ID}-")) && ours.ends_with("-01"),
        "{ours}"
    );
    assert_ne!(ours, TRACEPARENT);
}

#[tokio::test]
async fn a_trace_begins_here_where_none_came_or_a_broken_one() {
    let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    let zero_span = format!("00-{TRACE_ID}-{}-01", "0".repeat(16));
    let upper = TRACEPARENT.to_uppercase();
    let longer = format!("{TRACEPARENT}-x");
    let forbidden = TRACEPARENT.replacen("00", "ff", 1);
    for broken in [
        "",
        "x",
        &zero_trace,
        &zero_span,
        &upper,
        &longer,
        &forbidden,
    ] {
        let ours = asked(&[("", "/trace"), ("traceparent", broken)]).await.body;
        let trace = TraceContext {
            traceparent: ours.clone(),
        };
        assert!(TraceContext::child_of(&ours).is_some(), "{ours}");
        assert_ne!(trace.trace_id(), TRACE_ID, "{broken}");
    }
}

#[test]
fn a_later_version_of_the_trace_header_is_understood() {
    let later = format!("{}-more", TRACEPARENT.replacen("00", "cc", 1));
    assert_eq!(TraceContext::child_of(&later).unwrap().trace_id(), TRACE_ID);
}

#[tokio::test]
async fn credentials_do_not_show_when_headers_are_printed() {
    let shown = asked(&[("", "/sensitive"), ("authorization", "Bearer hunter2")])
        .await
        .body;
    assert!(
        shown.contains("authorization") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn requests_are_counted_by_declared_route_and_never_by_what_was_called() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let router = Router::new().route("/labs/{id}", on_get(|_: Path<String>| async {}));
            send(router.clone(), get("/labs/asha")).await;
            send(router.clone(), get("/elsewhere/asha")).await;
            let invented = Request::builder().method("ASHA").uri("/labs/asha");
            send(router, invented.body(Body::empty()).unwrap()).await;
        });
    });

    let page = handle.render();

    assert!(!page.to_lowercase().contains("asha"), "{page}");
    let mut counts: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("labwire_http_requests_total{"))
        .collect();
    counts.sort_unstable();
    insta::assert_snapshot!(counts.join("\n"), @r#"
    labwire_http_requests_total{route="/labs/{id}",method="GET",status="200"} 1
    labwire_http_requests_total{route="/labs/{id}",method="OTHER",status="405"} 1
    labwire_http_requests_total{route="unmatched",method="GET",status="404"} 1
    "#);
}
