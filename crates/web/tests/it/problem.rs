use std::time::Duration;

use axum::{Router, routing::get as on_get};
use http::{Request, StatusCode};
use web::Problem;

use crate::{Answer, answer, get, send};

async fn refused_with(problem: Problem) -> Answer {
    let router = Router::new().route("/", on_get(|| async { problem }));
    send(router, get("/")).await
}

#[tokio::test]
async fn a_problem_tells_where_and_why_under_a_stable_code() {
    let problem = Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "INVALID_PHONE_NUMBER",
        "The phone number is not valid",
    )
    .detail("a number in E.164 form is expected")
    .pointer("/patient_phone")
    .pointer_detail("/contact~1s/0", "too short");

    insta::assert_snapshot!(refused_with(problem).await.problem(), @r#"
    422 Unprocessable Entity
    {
      "code": "INVALID_PHONE_NUMBER",
      "detail": "a number in E.164 form is expected",
      "errors": [
        {
          "pointer": "/patient_phone"
        },
        {
          "detail": "too short",
          "pointer": "/contact~1s/0"
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The phone number is not valid",
      "type": "urn:labwire:problem:invalid_phone_number"
    }
    "#);
}

#[tokio::test]
async fn a_fault_of_ours_tells_nothing_of_its_cause() {
    let problem = Problem::internal()
        .detail("relation \"patients\" is gone")
        .pointer("/secret");
    insta::assert_snapshot!(refused_with(problem).await.problem(), @r#"
    500 Internal Server Error
    {
      "code": "INTERNAL_ERROR",
      "request_id": "req-1",
      "status": 500,
      "title": "Internal Server Error",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn unavailable_says_when_to_try_again_rounded_up() {
    let answer = refused_with(Problem::unavailable(Duration::from_millis(1_001))).await;
    assert_eq!(answer.headers["retry-after"], "2");
    insta::assert_snapshot!(answer.problem(), @r#"
    503 Service Unavailable
    {
      "code": "SERVICE_UNAVAILABLE",
      "request_id": "req-1",
      "status": 503,
      "title": "Service Unavailable",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let answer = send(Router::new(), get("/nowhere")).await;
    insta::assert_snapshot!(answer.problem(), @r#"
    404 Not Found
    {
      "code": "NOT_FOUND",
      "request_id": "req-1",
      "status": 404,
      "title": "Not Found",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn a_method_that_is_not_served_is_a_problem_that_names_those_that_are() {
    let router = Router::new().route("/", on_get(|| async {}));
    let request = Request::delete("/")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = send(router, request).await;
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    insta::assert_snapshot!(answer.problem(), @r#"
    405 Method Not Allowed
    {
      "code": "METHOD_NOT_ALLOWED",
      "request_id": "req-1",
      "status": 405,
      "title": "Method Not Allowed",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn a_panicking_handler_is_our_fault_and_told_as_such() {
    async fn careless() {
        tokio::task::yield_now().await;
        panic!("as ordered");
    }
    let answer = send(Router::new().route("/", on_get(careless)), get("/")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    insta::assert_snapshot!(answer.problem(), @r#"
    500 Internal Server Error
    {
      "code": "INTERNAL_ERROR",
      "request_id": "req-1",
      "status": 500,
      "title": "Internal Server Error",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_given_up() {
    let router = Router::new().route("/", on_get(std::future::pending::<()>));
    let answer = send(router, get("/")).await;
    assert_eq!(answer.headers["retry-after"], "1");
    insta::assert_snapshot!(answer.problem(), @r#"
    503 Service Unavailable
    {
      "code": "REQUEST_TIMEOUT",
      "request_id": "req-1",
      "status": 503,
      "title": "Service Unavailable",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn a_problem_is_complete_without_the_layers_but_for_the_request_id() {
    let response = axum::response::IntoResponse::into_response(Problem::not_found());
    let problem = answer(response).await.problem();
    assert!(
        problem.contains("\"NOT_FOUND\"") && !problem.contains("request_id"),
        "{problem}"
    );
}
