//! The house rule of docs/architecture.md: imports point one way, and each outside thing has one
//! door. Read from `cargo metadata`.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each of our crates may depend on, of our crates.
const ALLOWED: &[(&str, &[&str])] = &[
    ("weir-types", &[]),
    ("weir-parser", &["weir-types"]),
    ("weir-protocol", &["weir-types"]),
    ("weir-functions", &["weir-types", "weir-parser"]),
    (
        "weir-planner",
        &["weir-types", "weir-parser", "weir-functions"],
    ),
    ("weir-formats", &["weir-types", "weir-parser"]),
    ("weir-state", &["weir-types", "weir-parser"]),
    ("weir-kafka", &["weir-types", "weir-parser"]),
    ("weir-broker", &[]),
    (
        "weir-engine",
        &[
            "weir-types",
            "weir-parser",
            "weir-functions",
            "weir-planner",
            "weir-formats",
            "weir-state",
        ],
    ),
    (
        "weir-runtime",
        &[
            "weir-types",
            "weir-parser",
            "weir-planner",
            "weir-formats",
            "weir-state",
            "weir-kafka",
            "weir-engine",
        ],
    ),
    (
        "weir-catalog",
        &[
            "weir-types",
            "weir-parser",
            "weir-functions",
            "weir-planner",
            "weir-protocol",
            "weir-formats",
            "weir-state",
            "weir-kafka",
            "weir-engine",
            "weir-runtime",
        ],
    ),
    (
        "weir-http",
        &["weir-types", "weir-parser", "weir-protocol", "weir-catalog"],
    ),
    ("weir-cli", &["weir-types", "weir-parser", "weir-protocol"]),
];

/// Which of our crates may depend on an outside one.
const DOORS: &[(&str, &[&str])] = &[
    ("rdkafka", &["weir-kafka"]),
    ("rocksdb", &["weir-state"]),
    ("axum", &["weir-http"]),
    ("rustyline", &["weir-cli"]),
    ("kafka-protocol", &["weir-broker"]),
    ("sqlparser", &["weir-parser"]),
    (
        "datafusion",
        &[
            "weir-functions",
            "weir-planner",
            "weir-engine",
            "weir-catalog",
        ],
    ),
];

/// Crates of tests may use anything: they are outside of the house.
const TESTS: &[&str] = &[
    "weir-test-support",
    "weir-conformance",
    "weir-language",
    "weir-replay",
    "weir-bench",
    "weir-e2e",
];

/// Package → its ordinary dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("name").to_owned();
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let ordinary = dependencies
                .iter()
                .filter(|d| d["kind"].is_null())
                .map(|d| d["name"].as_str().expect("name").to_owned())
                .collect();
            (name, ordinary)
        })
        .collect()
}

#[test]
fn imports_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (package, dependencies) in dependencies() {
        if package == "weir" || TESTS.contains(&package.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(package.as_str()) else {
            wrong.push(format!("{package} has no place in the house"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| d.starts_with("weir")) {
            if !may.contains(&dependency.as_str()) {
                wrong.push(format!("{package} -> {dependency}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows against the house rule:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn each_outside_thing_has_one_door() {
    let mut wrong = Vec::new();
    for (package, dependencies) in dependencies() {
        if TESTS.contains(&package.as_str()) {
            continue;
        }
        for (outside, doors) in DOORS {
            if dependencies.contains(*outside) && !doors.contains(&package.as_str()) {
                wrong.push(format!("{package} -> {outside}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "outside things reached past their door:\n{}",
        wrong.join("\n")
    );
}
