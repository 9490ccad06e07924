use std::{io::Write as _, process::ExitCode};

/// To whoever watches.
#[expect(
    clippy::print_stdout,
    reason = "what a run prints is what it is made for"
)]
pub fn say(text: &str) {
    println!("{text}");
    std::io::stdout().flush().ok();
}

/// How a program ends whose run came to this; says why it could not go on.
pub fn exit_code(program: &str, run: anyhow::Result<ExitCode>) -> ExitCode {
    run.unwrap_or_else(|error| {
        say(&format!("{program}: {error:#}"));
        ExitCode::FAILURE
    })
}
