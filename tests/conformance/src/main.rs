//! The conformance runner: recorded cases of ksqlDB against parser, planner and engine, without
//! Kafka and without a clock.
//!
//! ```text
//!  file ─case─► variants ─session─► catalog, topologies ─driver─► records ─run─► passed, failed
//! ```
//!
//! Invariant: a case is counted once, whatever it does: a panic in it is its failure alone.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use weir_conformance::{case, run};

/// Runs recorded cases and counts which pass.
#[derive(Debug, Parser)]
struct Args {
    /// Rows that a step takes at most.
    #[arg(long, default_value_t = 1)]
    step: usize,
    /// Name every failed case and say why.
    #[arg(long)]
    list_failed: bool,
    /// Cases that are known to fail, one a line: file and name as --list-failed prints them.
    #[arg(long)]
    known: Option<PathBuf>,
    /// Print what each case writes, instead of comparing: to see what a case of one's own does.
    #[arg(long)]
    show: bool,
    /// Only cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Files, or folders with *.json files.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // Deep expressions need more than the main thread has.
    let runner = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || run_all(&args));
    match runner.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(code))) => code,
        Ok(Ok(Err(error))) => {
            let _ = writeln!(std::io::stderr(), "conformance: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::from(2),
    }
}

fn run_all(args: &Args) -> Result<ExitCode, String> {
    let known: BTreeSet<String> = match &args.known {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(ToOwned::to_owned)
            .collect(),
        None => BTreeSet::new(),
    };
    let mut files = Vec::new();
    for path in &args.paths {
        collect(path, &mut files)?;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = std::io::stdout().lock();
    let mut print = |line: &str| {
        // A closed pipe ends the output, not the run.
        let _ = writeln!(out, "{line}");
    };
    let (mut passed, mut failed, mut unexpected) = (0, 0, 0);
    for file in files {
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let cases = case::load(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let (mut file_passed, mut file_failed) = (0, 0);
        let only = args.only.as_deref().unwrap_or("");
        for case in cases.iter().filter(|case| case.name.contains(only)) {
            // Some names end in a blank, which a list of lines does not keep.
            let id = format!("{name}: {}", case.name.trim());
            if args.show {
                print(&id);
                let shown = guarded(|| run::written(case, args.step));
                let lines = shown.unwrap_or_else(|error| vec![error]);
                lines.iter().for_each(|line| print(&format!("    {line}")));
                continue;
            }
            match guarded(|| run::run(case, args.step)) {
                Ok(()) => {
                    file_passed += 1;
                    if known.contains(&id) {
                        print(&format!("passes now: {id}"));
                    }
                }
                Err(error) => {
                    file_failed += 1;
                    let listed = known.contains(&id);
                    unexpected += usize::from(!listed);
                    if args.list_failed || (args.known.is_some() && !listed) {
                        print(&format!("FAILED {id}"));
                        error.lines().for_each(|line| print(&format!("    {line}")));
                    }
                }
            }
        }
        if args.show {
            continue;
        }
        print(&format!(
            "{name}: {file_passed} passed, {file_failed} failed"
        ));
        passed += file_passed;
        failed += file_failed;
    }
    if args.show {
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{passed} passed, {failed} failed"));
    let ok = if args.known.is_some() {
        unexpected == 0
    } else {
        failed == 0
    };
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The result of `run`; a panic in it is an error.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", message.unwrap_or_default()))
        }
    }
}

/// The files under a path, in order of their names.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let error = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(error)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(error)?;
    found.sort();
    for path in found {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// The project's own cases, in steps of every size.
    #[test]
    fn own_cases_pass() {
        let mut files = Vec::new();
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"),
            &mut files,
        )
        .unwrap();
        let cases: Vec<_> = files
            .iter()
            .flat_map(|file| case::load(file).unwrap())
            .collect();
        assert!(cases.len() > 15, "{} cases", cases.len());
        for case in &cases {
            for step in [1, 100] {
                if let Err(error) = run::run(case, step) {
                    panic!("{}: {error}", case.name);
                }
            }
        }
    }
}
