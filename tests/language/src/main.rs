//! `docs DIR`: makes the reference pages under DIR anew; `docs --check DIR` only says which ones
//! are not up to date.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use weir_language::reference;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let check = arguments.first().is_some_and(|a| a == "--check");
    if check {
        arguments.remove(0);
    }
    let docs = PathBuf::from(arguments.pop().unwrap_or_else(|| "docs".to_owned()));
    match run(&docs, check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: {error}", docs.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well afterwards.
fn run(docs: &Path, check: bool) -> io::Result<bool> {
    let mut fresh = true;
    let mut out = io::stdout();
    for (path, text) in reference::pages(docs)? {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        fresh = false;
        if check {
            writeln!(out, "not up to date: {} (run `make docs`)", path.display())?;
        } else {
            fs::write(&path, text)?;
            writeln!(out, "written: {}", path.display())?;
        }
    }
    Ok(fresh || !check)
}
