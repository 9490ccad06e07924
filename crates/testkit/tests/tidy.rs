//! The house rules that neither the compiler nor clippy can check: who may know whom, what files look like, what
//! tests may not do. A rule that nothing checks is not one; add it to a table here.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, these are assertions"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Which of our crates each of them may use. Services may use every crate; proofs every crate and service; `testkit` is
/// for tests only.
const EDGES: &[(&str, &[&str])] = &[
    ("attachments", &["vault"]),
    ("contracts", &["domain"]),
    ("convergence", &["contracts", "domain", "storage"]),
    (
        "dispatch",
        &["contracts", "domain", "failpoints", "queue", "storage"],
    ),
    ("domain", &[]),
    ("failpoints", &[]),
    ("providers", &["domain", "failpoints"]),
    ("queue", &["contracts", "domain"]),
    ("sealed-records", &["domain", "storage", "vault"]),
    ("service-runtime", &[]),
    ("storage", &["contracts", "domain"]),
    ("testkit", &[]),
    ("vault", &[]),
    ("web", &[]),
];

/// Composes all the others.
const COMPOSER: &str = "labwire";
/// Stands in for a server of somebody else's, so a test may run it.
const SIMULATOR: &str = "meta-simulator";
/// Judges all the others, so it uses none of them.
const AUDITOR: &str = "auditor";

/// Crates of others that only some of our crates may use. Those that no third party uses are fenced in deny.toml.
const FENCES: &[(&str, &[&str])] = &[
    ("anyhow", &["service-runtime"]),
    ("axum", &["service-runtime", "testkit", "web"]),
    ("reqwest", &["providers", "service-runtime", "testkit"]),
];
/// What crates without I/O and services without SQL or AMQP do not name, not even in tests.
const ABSENCES: &[(&[&str], &[&str])] = &[
    (
        &["domain", "contracts"],
        &["tokio", "axum", "reqwest", "sqlx", "lapin"],
    ),
    (&SERVICES, &["sqlx", "lapin"]),
];

const SERVICES: [&str; 7] = [
    "api-gateway",
    "callback-worker",
    "labwire",
    "meta-simulator",
    "sender",
    "status-worker",
    "webhook-ingest",
];

const MAX_LINES: usize = 500;
const VAGUE_NAMES: &[&str] = &[
    "common", "core", "shared", "utils", "util", "helpers", "types", "manager",
];

enum Scope {
    Rust,
    /// Tests on a real clock.
    Tests,
    RustAndDocs,
}

/// What no line may contain, where, and why. In halves, so that the table does not find itself.
const FORBIDDEN: &[(&str, Scope, &str)] = &[
    (
        concat!("#[ig", "nore"),
        Scope::Rust,
        "a test that does not run says nothing",
    ),
    (
        concat!("#[should", "_panic"),
        Scope::Rust,
        "it passes for any panic",
    ),
    (
        concat!("time::sl", "eep"),
        Scope::Tests,
        "wait with testkit::eventually",
    ),
    (
        concat!("thread::sl", "eep"),
        Scope::Tests,
        "wait with testkit::eventually",
    ),
    (
        concat!("<<<<", "<<< "),
        Scope::RustAndDocs,
        "a conflict was not resolved",
    ),
];

const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// The top-level folder that a package lies in.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Crates,
    Services,
    Proofs,
}

struct Package {
    name: String,
    place: Place,
    /// Name, and whether it is for tests only.
    dependencies: Vec<(String, bool)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(package).collect()
}

fn package(json: &Value) -> Package {
    let dependencies = json["dependencies"].as_array().unwrap().iter();
    let manifest = Path::new(json["manifest_path"].as_str().unwrap());
    let folder = manifest.strip_prefix(root()).unwrap().iter().next();
    Package {
        name: json["name"].as_str().unwrap().to_owned(),
        place: match folder.and_then(|it| it.to_str()) {
            Some("crates") => Place::Crates,
            Some("services") => Place::Services,
            Some("proofs") => Place::Proofs,
            _ => panic!("{} is in no known folder", manifest.display()),
        },
        dependencies: dependencies
            .map(|it| (it["name"].as_str().unwrap().to_owned(), it["kind"] == "dev"))
            .collect(),
    }
}

/// Every file below `folder`, relative to the root, whose name ends in `extension`.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    let found = ["crates", "services", "proofs"]
        .map(|folder| files(folder, "rs"))
        .concat();
    assert!(
        found.len() > packages().len(),
        "the search for source files is broken"
    );
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|it| it.as_os_str() == "tests")
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

fn may_use(package: &Package, dependency: &str, in_tests: bool, packages: &[Package]) -> bool {
    let is_service = package.place == Place::Services;
    let is_free_proof = package.place == Place::Proofs && package.name != AUDITOR;
    if dependency == "testkit" {
        return in_tests || is_free_proof;
    }
    match packages.iter().find(|it| it.name == dependency) {
        // Nothing leans on what proves it. Other proofs run the auditor's program: they must not share its code, either.
        Some(used) if used.place == Place::Proofs => is_free_proof && used.name != AUDITOR,
        _ if package.place == Place::Proofs => is_free_proof,
        Some(used) if used.place == Place::Services => {
            package.name == COMPOSER || (in_tests && dependency == SIMULATOR && is_service)
        }
        _ => {
            is_service
                || EDGES
                    .iter()
                    .any(|(name, uses)| *name == package.name && uses.contains(&dependency))
        }
    }
}

#[test]
fn our_crates_use_each_other_only_along_the_edges() {
    let packages = packages();
    let mut offences = Vec::new();
    for package in &packages {
        for (dependency, in_tests) in &package.dependencies {
            let ours = packages.iter().any(|it| it.name == *dependency);
            if ours && !may_use(package, dependency, *in_tests, &packages) {
                offences.push(format!("{} may not use {dependency}", package.name));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_tables_of_this_test_name_what_there_is() {
    let packages = packages();
    let names = |place: Place| -> Vec<&str> {
        let mut names: Vec<&str> = packages
            .iter()
            .filter(|it| it.place == place)
            .map(|it| &*it.name)
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        names(Place::Crates),
        EDGES.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    assert_eq!(names(Place::Services), SERVICES);
    assert!(names(Place::Proofs).contains(&AUDITOR));
}

#[test]
fn crates_of_others_stay_behind_their_fences() {
    let mut offences = Vec::new();
    for package in packages() {
        for (dependency, in_tests) in &package.dependencies {
            let fenced = |(name, users): &(&str, &[&str])| {
                name == dependency
                    && !in_tests
                    && package.place == Place::Crates
                    && !users.contains(&&*package.name)
            };
            let absent = |(ours, theirs): &(&[&str], &[&str])| {
                ours.contains(&&*package.name) && theirs.contains(&&**dependency)
            };
            if FENCES.iter().any(fenced) || ABSENCES.iter().any(absent) {
                offences.push(format!("{} may not use {dependency}", package.name));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_architecture_names_every_crate_and_service() {
    let text = read(Path::new("docs/ARCHITECTURE.md"));
    let missing = packages()
        .into_iter()
        .filter(|it| !text.contains(&format!("`{}`", it.name)));
    assert_none(
        &missing
            .map(|it| format!("docs/ARCHITECTURE.md lacks `{}`", it.name))
            .collect::<Vec<_>>(),
    );
}

/// The walk through the code names files: one that moved must not lead the reader astray.
#[test]
fn the_architecture_names_no_path_that_is_not_there() {
    let text = read(Path::new("docs/ARCHITECTURE.md"));
    let paths = text.split('`').skip(1).step_by(2).filter(|it| {
        ["crates/", "services/", "proofs/", "docs/"]
            .iter()
            .any(|top| it.starts_with(top))
    });
    let missing = paths.filter(|it| !root().join(it).exists());
    assert_none(&missing.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn every_crate_and_module_with_children_says_what_it_owns() {
    let mut offences = Vec::new();
    for path in rust_files().into_iter().filter(|it| !is_test(it)) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let documented = read(&path).lines().any(|line| line.starts_with("//!"));
        if ["lib.rs", "main.rs", "mod.rs"].contains(&name) && !documented {
            offences.push(format!("{} has no `//!`", path.display()));
        }
    }
    assert_none(&offences);
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    for path in rust_files() {
        let lines = read(&path).lines().count();
        if lines > MAX_LINES {
            offences.push(format!(
                "{} has {lines} lines of {MAX_LINES}",
                path.display()
            ));
        }
    }
    assert_none(&offences);
}

#[test]
fn names_say_what_is_inside() {
    let mut offences = Vec::new();
    for path in rust_files() {
        if path
            .with_extension("")
            .iter()
            .any(|it| VAGUE_NAMES.contains(&it.to_str().unwrap()))
        {
            offences.push(format!("{} could hold anything", path.display()));
        }
    }
    assert_none(&offences);
}

#[test]
fn no_line_is_forbidden() {
    let mut offences = Vec::new();
    let documents = [files("docs", "md"), vec![PathBuf::from("README.md")]].concat();
    for path in rust_files().into_iter().chain(documents) {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
        let is_rust = path.extension().is_some_and(|it| it == "rs");
        let waits = is_rust && is_test(&path) && !text.contains("start_paused = true");
        for (number, line) in text.lines().enumerate() {
            let mut say =
                |why: &str| offences.push(format!("{}:{}: {why}", path.display(), number + 1));
            for (found, scope, why) in FORBIDDEN {
                let applies = match scope {
                    Scope::Rust => is_rust,
                    Scope::Tests => waits,
                    Scope::RustAndDocs => true,
                };
                if applies && line.contains(found) {
                    say(why);
                }
            }
            if NOTES
                .iter()
                .any(|note| line.contains(note) && !line.contains(&format!("{note}(#")))
            {
                say("a note to oneself needs the number of its issue");
            }
        }
    }
    assert_none(&offences);
}
