//! How many instructions each call takes, under valgrind: a busy machine changes nothing. Fails if one takes clearly more
//! than in the run before.

#![expect(clippy::exit, reason = "gungraun's main ends with it")]

use gungraun::{Callgrind, EventKind, prelude::*};

macro_rules! count {
    ($($call:ident),+) => {
        #[library_benchmark]
        $(#[bench::$call(warmed_up(micro::$call()))])+
        fn instructions<C: FnMut()>(mut call: C) {
            call();
        }
    };
}
micro::for_each_call!(count);

/// Once before it counts, for what happens only the first time.
fn warmed_up(mut call: impl FnMut()) -> impl FnMut() {
    call();
    call
}

/// Between two runs of the same program there is a thousandth at most: maps are hashed with random keys.
const GROWTH_PERCENT: f64 = 5.0;

library_benchmark_group!(name = calls, benchmarks = instructions);
main!(
    config = LibraryBenchmarkConfig::default().tool(
        Callgrind::with_args(["--cache-sim=no"]).soft_limits([(EventKind::Ir, GROWTH_PERCENT)])
    ),
    library_benchmark_groups = calls
);
