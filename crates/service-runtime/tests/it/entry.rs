use std::{fs, path::PathBuf, process::ExitCode};

use service_runtime::{Lifecycle, settings, start};
use tempfile::TempDir;

settings! {
    /// What the test service is told.
    struct GreetingConfig in "greeting" {
        /// Whom to greet.
        name: String = required,
    }
}

fn file(content: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("labwire.toml");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn assert_exit(actual: ExitCode, expected: u8) {
    // ExitCode can be compared in no other way.
    assert_eq!(
        format!("{actual:?}"),
        format!("{:?}", ExitCode::from(expected))
    );
}

async fn greet(config: GreetingConfig, lifecycle: Lifecycle) -> anyhow::Result<()> {
    anyhow::ensure!(config.name != "nobody", "nobody to greet");
    lifecycle.spawn("greeter", async {});
    Ok(())
}

#[test]
fn bad_configuration_exits_2_and_runs_nothing() {
    let (_directory, path) = file("[greeting]\nnmae = \"you\"\n");
    let run = |_: GreetingConfig, _| async { panic!("must not run") };
    assert_exit(start("greeter", Some(&path), run), 2);
}

#[test]
fn a_configuration_file_that_is_not_there_exits_2() {
    let missing = PathBuf::from("/nonexistent/labwire.toml");
    assert_exit(start("greeter", Some(&missing), greet), 2);
}

#[test]
fn a_service_that_has_done_its_work_exits_0() {
    let (_directory, path) = file("[greeting]\nname = \"you\"\n");
    assert_exit(start("greeter", Some(&path), greet), 0);
}

#[test]
fn a_service_that_fails_exits_1() {
    let (_directory, path) = file("[greeting]\nname = \"nobody\"\n");
    assert_exit(start("greeter", Some(&path), greet), 1);
}
