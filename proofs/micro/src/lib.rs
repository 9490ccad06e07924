//! The pure code that every report passes through, ready to be measured: `benches/time.rs` measures its time,
//! `benches/instructions.rs` counts its instructions. Knows neither of them.

mod rules;
mod sealing;
mod webhooks;

pub use rules::{
    classify_answers, classify_statuses, fold_statuses, merge_deliveries, render_text,
    take_a_permit,
};
pub use sealing::{check_phone, open_phone, open_report, parse_phone, seal_phone, seal_report};
pub use webhooks::{check_signature, parse_batch, parse_inbound, parse_status};

// As in the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hands every measured call to a macro. Each is a function that builds the input and returns the call.
#[macro_export]
macro_rules! for_each_call {
    ($measure:ident) => {
        $measure! {
            check_signature,
            parse_status,
            parse_inbound,
            parse_batch,
            seal_phone,
            open_phone,
            parse_phone,
            check_phone,
            seal_report,
            open_report,
            render_text,
            fold_statuses,
            merge_deliveries,
            take_a_permit,
            classify_answers,
            classify_statuses
        }
    };
}
