use axum::{Json, Router, routing::get as on_get};
use serde::Deserialize;
use web::{Page, PageRequest, ValidPath, ValidQuery, decode_cursor, encode_cursor};

use crate::{Answer, get, send};

#[derive(Deserialize)]
struct Filter {
    min: Option<u32>,
    name: String,
}

async fn numbers(page: PageRequest<u32>) -> Json<Page<u32>> {
    let first = page.after.map_or(0, |after| after + 1);
    let rows = (first..7).take(page.limit + 1).collect();
    Json(Page::from_rows(rows, page.limit, |row| *row))
}

async fn asked(path: &str) -> Answer {
    let filter = |ValidQuery(filter): ValidQuery<Filter>| async move {
        format!("{} from {}", filter.name, filter.min.unwrap_or_default())
    };
    let router = Router::new()
        .route("/numbers", on_get(numbers))
        .route("/filtered", on_get(filter))
        .route(
            "/numbers/{n}",
            on_get(|ValidPath(n): ValidPath<u32>| async move { n.to_string() }),
        );
    send(router, get(path)).await
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end_without_gap_or_overlap() {
    let (mut path, mut seen) = ("/numbers?limit=3".to_owned(), Vec::new());
    loop {
        let page: serde_json::Value = serde_json::from_str(&asked(&path).await.body).unwrap();
        seen.push(page["items"].to_string());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/numbers?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, ["[0,1,2]", "[3,4,5]", "[6]"]);
}

#[tokio::test]
async fn a_limit_beyond_reason_is_brought_into_reason() {
    let body = asked("/numbers?limit=0").await.body;
    assert!(body.starts_with("{\"items\":[0],"), "{body}");
    let body = asked("/numbers?limit=100000").await.body;
    assert!(body.ends_with("\"next_cursor\":null}"), "{body}");
}

#[tokio::test]
async fn a_list_that_ends_with_its_page_has_no_next_one() {
    let body = asked("/numbers?limit=7").await.body;
    assert_eq!(body, "{\"items\":[0,1,2,3,4,5,6],\"next_cursor\":null}");
}

#[test]
fn a_cursor_carries_any_key() {
    let key = ("2026-01-01".to_owned(), 7);
    let cursor = encode_cursor(&key);
    assert!(
        cursor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    assert_eq!(decode_cursor::<(String, i32)>(&cursor).unwrap(), key);
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused() {
    insta::assert_snapshot!(asked("/numbers?cursor=Asha").await.problem(), @r#"
    400 Bad Request
    {
      "code": "INVALID_CURSOR",
      "request_id": "req-1",
      "status": 400,
      "title": "The cursor is not one of ours",
      "type": "urn:labwire:problem:invalid_cursor"
    }
    "#);
}

#[tokio::test]
async fn a_wrong_query_parameter_is_named_and_not_repeated() {
    assert_eq!(asked("/filtered?name=x&min=3").await.body, "x from 3");
    insta::assert_snapshot!(asked("/filtered?name=x&min=Asha").await.problem(), @r#"
    400 Bad Request
    {
      "code": "INVALID_PARAMETER",
      "detail": "min: not valid",
      "request_id": "req-1",
      "status": 400,
      "title": "A query parameter is wrong",
      "type": "urn:labwire:problem:invalid_parameter"
    }
    "#);
    let missing = asked("/filtered").await.problem();
    assert!(missing.contains("name: required"), "{missing}");
}

#[tokio::test]
async fn a_path_parameter_that_cannot_be_names_nothing() {
    assert_eq!(asked("/numbers/5").await.body, "5");
    assert_eq!(asked("/numbers/asha").await.status, 404);
}
