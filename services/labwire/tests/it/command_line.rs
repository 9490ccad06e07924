//! What people see who run the binary.

use std::{fs, path::Path, process::Command};

fn labwire(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_labwire"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "$ labwire {}\n{}{}exit code {}\n",
        arguments.join(" "),
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap()
    )
}

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!(labwire(&["--help"], &[]));
}

#[test]
fn each_command_explains_itself() {
    let commands: [&[&str]; 16] = [
        &["all"],
        &["migrate"],
        &["add-vendor"],
        &["add-app"],
        &["assign-app"],
        &["dead-letters"],
        &["dead-letters", "list"],
        &["dead-letters", "show"],
        &["dead-letters", "replay"],
        &["dead-letters", "discard"],
        &["unconfirmed"],
        &["unconfirmed", "list"],
        &["unconfirmed", "resolve"],
        &["generate-keys"],
        &["demo"],
        &["settings"],
    ];
    let helps = commands.map(|command| labwire(&[command, &["--help"]].concat(), &[]));
    insta::assert_snapshot!(helps.join("\n"));
}

#[test]
fn a_configuration_is_refused_with_all_its_faults_at_once() {
    let environment = [
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "many"),
        ("LABWIRE_GRAPH__BASE_URL", "graph.example"),
        ("LABWIRE_SENDER__CLAIM_LEASE", "soon"),
        ("LABWIRE_SENDER__CLAIM_LEESE", "60s"),
    ];
    insta::assert_snapshot!(labwire(&["all"], &environment));
}

#[test]
fn a_command_that_is_none_is_bad_usage() {
    insta::assert_snapshot!(labwire(&["migrat"], &[]));
}

#[test]
fn the_page_about_the_configuration_is_what_labwire_settings_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let output = Command::new(env!("CARGO_BIN_EXE_labwire"))
        .arg("settings")
        .env_clear()
        .output()
        .unwrap();
    assert!(
        fs::read(page).unwrap_or_default() == output.stdout,
        "docs/CONFIGURATION.md is old: labwire settings > docs/CONFIGURATION.md"
    );
}
