//! The reference pages are up to date, and their examples are statements that Weir accepts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use weir_functions::registry::registry;
use weir_language::reference::{pages, statement_pages};
use weir_language::session::Session;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The SQL blocks of a page, in order.
fn examples(text: &str) -> Vec<&str> {
    text.split("```sql\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block that ends").0)
        .collect()
}

#[test]
fn pages_are_up_to_date() {
    for (path, text) in pages(&docs()).unwrap() {
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{}: run `make docs`", path.display());
    }
}

#[test]
fn examples_are_parsed_and_planned() {
    let readme = docs().join("README.md");
    let all = statement_pages(&docs()).unwrap();
    let all = all.into_iter().map(|page| (page.path, page.text));
    let first = (readme.clone(), fs::read_to_string(&readme).unwrap());
    for (path, text) in std::iter::once(first).chain(all) {
        let examples = examples(&text);
        assert!(!examples.is_empty(), "{}: no example", path.display());
        let mut session = Session::new();
        for example in examples {
            if let Err(error) = session.execute(example) {
                panic!("{}:\n{example}\n{}", path.display(), error.placed_message());
            }
        }
    }
}

#[test]
fn statement_pages_have_the_same_parts_in_the_same_order() {
    let order = [
        "Syntax",
        "Properties",
        "Example",
        "Errors",
        "Differences to ksqlDB",
    ];
    for page in statement_pages(&docs()).unwrap() {
        let heads: Vec<&str> = page
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let places: Vec<usize> = heads
            .iter()
            .map(|head| {
                let place = order.iter().position(|part| part == head);
                place.unwrap_or_else(|| panic!("{}: {head}", page.path.display()))
            })
            .collect();
        assert!(places.is_sorted(), "{}: {heads:?}", page.path.display());
        assert!(
            heads.contains(&"Syntax") && heads.contains(&"Example"),
            "{}: {heads:?}",
            page.path.display()
        );
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for (path, text) in pages(&docs()).unwrap() {
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let there = path.parent().unwrap().join(file);
            assert!(there.exists(), "{}: {target}", path.display());
        }
    }
}

#[test]
fn every_function_has_a_description() {
    for (name, ..) in registry().list() {
        let doc = registry().describe(name).unwrap();
        assert!(!doc.description.is_empty(), "{name}");
        assert!(!doc.variants.is_empty(), "{name}");
    }
}
