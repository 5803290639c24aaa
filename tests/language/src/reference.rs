//! The reference under `docs/`: `functions.md` whole, and in the other pages the sections between
//! `<!-- generated: … -->` and `<!-- end -->`.
//!
//! Invariant: making the pages again over pages that are up to date changes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use weir_functions::FunctionKind;
use weir_functions::registry::registry;
use weir_planner::ddl::{WITH_PROPERTIES, WithScope};

const BEGIN: &str = "<!-- generated: ";
const CLOSE: &str = " -->\n";
const END: &str = "<!-- end -->";

/// The pages as they should be: path and text.
///
/// # Errors
///
/// A page cannot be read; a marked section has no end or a name that nobody makes.
pub fn pages(docs: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let statements = statement_pages(docs)?;
    let index = index(&statements);
    let mut pages = vec![(docs.join("functions.md"), functions())];
    let readme = docs.join("README.md");
    let text = fs::read_to_string(&readme)?;
    let others = statements.into_iter().map(|page| (page.path, page.text));
    for (path, text) in std::iter::once((readme, text)).chain(others) {
        let made = spliced(&text, &index)
            .map_err(|e| io::Error::other(format!("{}: {e}", path.display())))?;
        pages.push((path, made));
    }
    Ok(pages)
}

/// A page about a statement.
pub struct StatementPage {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The pages about statements, sorted by name.
///
/// # Errors
///
/// The folder or a page cannot be read.
pub fn statement_pages(docs: &Path) -> io::Result<Vec<StatementPage>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(docs.join("statements"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "md") {
            let text = fs::read_to_string(&path)?;
            pages.push(StatementPage { path, text });
        }
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pages)
}

/// `text` with its marked sections made anew.
fn spliced(text: &str, index: &str) -> Result<String, String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(BEGIN) {
        let (name, body) = from.split_once(CLOSE).ok_or("a section without a name")?;
        let (_, after) = body
            .split_once(END)
            .ok_or_else(|| format!("the section {name} has no end"))?;
        let section = match name {
            "statements" => index.to_owned(),
            "properties create" => properties(WithScope::Create),
            "properties create as" => properties(WithScope::CreateAs),
            "properties insert" => properties(WithScope::Insert),
            other => return Err(format!("nobody makes the section {other}")),
        };
        let _ = write!(made, "{before}{BEGIN}{name}{CLOSE}\n{section}\n{END}");
        rest = after;
    }
    made.push_str(rest);
    Ok(made)
}

/// One line for each statement: its title and the first sentence of its page.
fn index(pages: &[StatementPage]) -> String {
    let mut lines = String::new();
    for page in pages {
        let title = page.text.lines().next().unwrap_or_default();
        let title = title.trim_start_matches("# ");
        let about = page.text.lines().skip(1).find(|line| !line.is_empty());
        let about = about.unwrap_or_default();
        let sentence = about.split_once(". ").map_or(about, |(first, _)| first);
        let sentence = sentence.trim_end_matches('.');
        let file = page.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(lines, "- [{title}](statements/{file}): {sentence}.");
    }
    lines
}

fn properties(scope: WithScope) -> String {
    let mut table = String::from("| Property | Value | Meaning |\n|---|---|---|\n");
    for property in WITH_PROPERTIES {
        if property.scopes.contains(&scope) {
            let (name, values, about) = (property.name, property.values, property.about);
            let _ = writeln!(table, "| `{name}` | {values} | {about} |");
        }
    }
    table
}

/// The reference of functions, by category.
fn functions() -> String {
    let registry = registry();
    let list = registry.list();
    let mut categories: Vec<&str> = list.iter().map(|(_, _, category)| *category).collect();
    categories.sort_unstable();
    categories.dedup();
    let count = |kind: FunctionKind| list.iter().filter(|(_, k, _)| *k == kind).count();
    let mut text = format!(
        "# Functions\n\n\
         {} scalar functions (one result for each row), {} aggregates (one result for each \
         group) and {} table functions (any number of rows for each row). Names are written in \
         any case.\n\n\
         A signature says what a function takes and gives: `T`, `K`, `V` stand for any type, the \
         same in all places; `...` means any number of arguments; a number of a narrower type is \
         widened (INT, BIGINT, DECIMAL, DOUBLE, in this order), and a text may stand where a \
         date, a time, a timestamp or bytes are due. Unless said otherwise a NULL argument gives \
         NULL. An expression that fails gives NULL for its column and an entry in the processing \
         log.\n\n\
         `SHOW FUNCTIONS;` and `DESCRIBE FUNCTION name;` tell the same at the prompt. This page \
         is made from the table of functions in the code (`make docs`).\n\n",
        count(FunctionKind::Scalar),
        count(FunctionKind::Aggregate),
        count(FunctionKind::Table)
    );
    for category in &categories {
        // As renderers of Markdown name a heading.
        let kept = |c: &char| c.is_alphanumeric() || *c == ' ';
        let anchor: String = category.to_lowercase().chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let names: Vec<String> = list
            .iter()
            .filter(|(_, _, c)| c == category)
            .map(|(name, ..)| format!("`{name}`"))
            .collect();
        let _ = writeln!(text, "- [{category}](#{anchor}): {}", names.join(", "));
    }
    for category in &categories {
        let _ = write!(text, "\n## {category}\n");
        for (name, kind, _) in list.iter().filter(|(_, _, c)| c == category) {
            if let Some(doc) = registry.describe(name) {
                function(&mut text, &doc, *kind);
            }
        }
    }
    text
}

fn function(text: &mut String, doc: &weir_functions::FunctionDoc, kind: FunctionKind) {
    let _ = write!(
        text,
        "\n### {}\n\n{}\n",
        doc.name,
        sentence(&doc.description)
    );
    if kind == FunctionKind::Table {
        text.push_str("\nA table function: it gives rows.\n");
    }
    let one = doc.variants.len() == 1;
    text.push_str("\n```text\n");
    for variant in &doc.variants {
        let arguments: Vec<String> = variant
            .arguments
            .iter()
            .map(|a| {
                let dots = if a.variadic { "..." } else { "" };
                format!("{} {}{dots}", a.name, a.type_name)
            })
            .collect();
        let _ = writeln!(
            text,
            "{}({}) → {}",
            doc.name,
            arguments.join(", "),
            variant.return_type
        );
    }
    text.push_str("```\n");
    let mut said: Vec<(&str, &str)> = Vec::new();
    for argument in doc.variants.iter().flat_map(|v| &v.arguments) {
        let entry = (argument.name.as_str(), argument.description.as_str());
        if !argument.description.is_empty() && !said.contains(&entry) {
            said.push(entry);
        }
    }
    if !said.is_empty() {
        text.push('\n');
    }
    for (name, description) in said {
        let _ = writeln!(text, "- `{name}`: {}", sentence(description));
    }
    if !one {
        let mut notes: Vec<&str> = Vec::new();
        for variant in &doc.variants {
            let note = variant.description.as_str();
            if !note.is_empty() && note != doc.description && !notes.contains(&note) {
                notes.push(note);
            }
        }
        if !notes.is_empty() {
            let notes: Vec<String> = notes.into_iter().map(sentence).collect();
            let _ = write!(text, "\n{}\n", notes.join(" "));
        }
    }
}

/// A description with its full stop, safe in Markdown.
fn sentence(description: &str) -> String {
    let text = description.trim().replace('\n', " ").replace('<', "&lt;");
    if text.is_empty() || text.ends_with(['.', '!', '?']) {
        text
    } else {
        format!("{text}.")
    }
}
