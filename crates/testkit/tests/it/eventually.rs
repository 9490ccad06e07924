use std::{future::pending, thread, time::Duration};

use testkit::eventually;

/// What the panic of `probe` says, from a runtime in a thread of its own.
fn failure<F: Future>(probe: impl FnOnce() -> F + Send + 'static) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let thread = thread::spawn(move || {
        runtime.block_on(async move { probe().await });
    });
    thread
        .join()
        .unwrap_err()
        .downcast_ref::<String>()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_value_that_is_there_is_returned_at_the_first_call() {
    let mut calls = 0;
    let value = eventually(Duration::from_mins(1), async || {
        calls += 1;
        Some(7)
    })
    .await;
    assert_eq!((value, calls), (7, 1));
}

#[tokio::test]
async fn it_polls_until_the_probe_settles() {
    let mut left = 5;
    eventually(Duration::from_mins(1), async || {
        left -= 1;
        left == 0
    })
    .await;
    assert_eq!(left, 0);
}

#[test]
fn a_failure_names_the_place_and_the_last_thing_seen() {
    let message = failure(|| {
        let mut calls = 0;
        eventually(Duration::from_millis(100), async move || {
            calls += 1;
            Err::<(), u32>(calls)
        })
    });
    assert!(message.contains("tests/it/eventually.rs"), "{message}");
    let last_seen: u32 = message
        .rsplit("last seen: ")
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(last_seen > 1, "{message}");
}

#[test]
fn a_probe_that_hangs_fails_at_the_deadline() {
    let message = failure(|| eventually(Duration::from_millis(50), pending::<bool>));
    assert!(
        message.contains("a probe that does not return"),
        "{message}"
    );
}
