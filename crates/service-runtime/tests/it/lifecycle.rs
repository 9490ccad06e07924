use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use service_runtime::{Lifecycle, LifecycleError};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

const GRACE: Duration = Duration::from_secs(20);

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_finishes_before_shutdown_ends() {
    let lifecycle = Lifecycle::for_tests();
    let finished = Arc::new(AtomicBool::new(false));
    lifecycle.spawn("worker", {
        let (lifecycle, finished) = (lifecycle.clone(), Arc::clone(&finished));
        async move {
            lifecycle.soft().cancelled().await;
            sleep(GRACE / 2).await;
            finished.store(true, Ordering::SeqCst);
        }
    });

    lifecycle.shutdown(GRACE).await.unwrap();

    assert!(finished.load(Ordering::SeqCst));
    assert!(!lifecycle.hard().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_in_time_is_given_up_by_name() {
    let lifecycle = Lifecycle::for_tests();
    let (guard, dropped) = oneshot::channel::<()>();
    lifecycle.spawn("quick", async {});
    lifecycle.spawn("stubborn", async move {
        let _guard = guard;
        pending::<()>().await;
    });

    let error = lifecycle.shutdown(GRACE).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "gave up on what had not finished in time: stubborn"
    );
    assert!(lifecycle.hard().is_cancelled());
    dropped.await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_hard_token_ends_the_grace_period() {
    let lifecycle = Lifecycle::for_tests();
    lifecycle.spawn("stubborn", pending::<()>());
    lifecycle.hard().cancel();

    let started = tokio::time::Instant::now();
    lifecycle.shutdown(GRACE).await.unwrap_err();

    assert!(started.elapsed() < GRACE / 2);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_task_takes_the_process_down_with_an_error() {
    let lifecycle = Lifecycle::for_tests();
    lifecycle.spawn("server", lifecycle.draining());
    lifecycle.spawn("careless", careless());

    let error = ended(&lifecycle).await.unwrap_err();

    assert!(
        matches!(error, LifecycleError::Panicked { task: "careless" }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_task_takes_the_process_down_with_its_cause() {
    let lifecycle = Lifecycle::for_tests();
    lifecycle.spawn("server", lifecycle.draining());
    lifecycle.spawn("unlucky", async { Err(anyhow::anyhow!("no luck")) });

    let error = ended(&lifecycle).await.unwrap_err();

    let LifecycleError::Failed { task, source } = error else {
        panic!("{error:?}")
    };
    assert_eq!((task, source.to_string().as_str()), ("unlucky", "no luck"));
}

#[tokio::test(start_paused = true)]
async fn a_process_ends_when_no_task_is_left() {
    let lifecycle = Lifecycle::for_tests();
    lifecycle.spawn("one-off", async {});
    ended(&lifecycle).await.unwrap();
}

#[tokio::test]
async fn a_first_signal_drains_and_a_second_gives_up() {
    let lifecycle = Lifecycle::from_signals().unwrap();
    signal_self("TERM").await;
    lifecycle.soft().cancelled().await;
    assert!(!lifecycle.hard().is_cancelled());

    signal_self("INT").await;
    lifecycle.hard().cancelled().await;
}

/// The end of a process that must end by itself.
async fn ended(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    timeout(GRACE * 2, lifecycle.run_until_stopped(GRACE))
        .await
        .unwrap()
}

async fn careless() {
    tokio::task::yield_now().await;
    panic!("as ordered");
}

async fn signal_self(signal: &str) {
    let pid = std::process::id().to_string();
    let kill = tokio::process::Command::new("kill")
        .args(["-s", signal, &pid])
        .status()
        .await;
    assert!(kill.unwrap().success());
}
