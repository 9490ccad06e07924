//! How long each call takes.

use std::time::Duration;

use criterion::Criterion;

macro_rules! measure {
    ($($call:ident),+) => {
        fn measure(criterion: &mut Criterion) {
            $(criterion.bench_function(stringify!($call), |bencher| bencher.iter(micro::$call()));)+
        }
    };
}
micro::for_each_call!(measure);

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    measure(&mut criterion);
    criterion.final_summary();
}
