use std::{convert::Infallible, error::Error as _, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    response::Response,
    routing::get,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tower::ServiceExt;

use crate::{control, graph, phone_page, simulator::Simulator};

/// An answer that is not given. It travels in the response's extensions.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum Cut {
    #[error("the connection is closed without an answer")]
    Close,
    #[error("the connection is reset without an answer")]
    Reset,
}

/// Takes connections until the simulator stops. Own loop, as a framework's would answer every call.
pub(crate) async fn serve(simulator: Simulator, listener: TcpListener) {
    let router = router(simulator.clone());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => simulator.engine().spawn(connection(stream, router.clone())),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn router(simulator: Simulator) -> Router {
    let engine = Arc::clone(simulator.engine());
    Router::new()
        .nest("/_sim", control::routes())
        .route("/", get(phone_page::index))
        .route("/phone", get(phone_page::phone))
        .route("/phone/{asset}", get(phone_page::asset))
        .with_state(simulator)
        .fallback_service(Router::new().fallback(graph::entry).with_state(engine))
        .layer(DefaultBodyLimit::disable())
}

async fn connection(stream: TcpStream, router: Router) {
    stream.set_nodelay(true).ok();
    let service =
        service_fn(|request: Request<Incoming>| Box::pin(respond(router.clone(), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else {
        return;
    };
    let cut = error
        .source()
        .and_then(|source| source.downcast_ref::<Cut>())
        .copied();
    if cut == Some(Cut::Reset) {
        // Without lingering, closing the socket sends RST instead of FIN.
        connection
            .into_parts()
            .io
            .into_inner()
            .set_zero_linger()
            .ok();
    }
}

async fn respond(router: Router, request: Request<Incoming>) -> Result<Response, Cut> {
    let response: Result<Response, Infallible> = router.oneshot(request.map(Body::new)).await;
    let Ok(response) = response;
    match response.extensions().get::<Cut>() {
        Some(cut) => Err(*cut),
        None => Ok(response),
    }
}
