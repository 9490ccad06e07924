//! Clean-up from `Drop`, where nothing can be awaited.

use std::{thread, time::Duration};

/// Long enough for a loaded machine; a clean-up that fails costs disk space, not a test.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs `work` to its end on a runtime of its own, since the caller's may be shutting down.
pub(crate) fn finish(work: impl Future<Output = ()> + Send + 'static) {
    let thread = thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            runtime.block_on(async { tokio::time::timeout(LIMIT, work).await.ok() });
        }
    });
    thread.join().ok();
}
