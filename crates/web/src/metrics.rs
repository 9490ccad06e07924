use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{counter, histogram};

/// Requests by route (as declared, never as called), method and status.
pub const REQUESTS: &str = "labwire_http_requests_total";
/// From the head of the request to the head of the response.
pub const REQUEST_DURATION: &str = "labwire_http_request_duration_seconds";

// A client may invent methods; a label may not.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

pub(crate) fn record(route: &str, method: &'static str, status: StatusCode, elapsed: Duration) {
    let route = route.to_owned();
    let status = status.as_str().to_owned();
    counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    histogram!(REQUEST_DURATION, "route" => route, "method" => method).record(elapsed);
}
