//! Where clusters and engines keep what they make: one folder for a run, in `TMPDIR`.
//!
//! Runs that were killed could not clean up: their folders, told by a process that is no more, go
//! when the next run starts.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

const PREFIX: &str = "weir-bench-";

/// The folder of this run; everything in it goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder and has all temporary folders of this process made in it.
    pub(crate) fn new() -> io::Result<Self> {
        let root = env::temp_dir();
        sweep(&root)?;
        let dir = root.join(format!("{PREFIX}{}", process::id()));
        fs::create_dir_all(&dir)?;
        // Only this program makes folders here, and only once.
        let _ = tempfile::env::override_temp_dir(&dir);
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders of runs whose process has ended.
fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        let pid = name.and_then(|n| n.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // What another user left is not ours to remove.
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn folders_of_runs_that_have_ended_go() {
        let root = tempfile::tempdir().expect("a folder");
        let of = |pid: &str| root.path().join(format!("{PREFIX}{pid}"));
        let (running, ended) = (of(&process::id().to_string()), of("4194305"));
        let other = root.path().join("other");
        for dir in [&running, &ended, &other] {
            fs::create_dir(dir).expect("a folder in it");
        }
        sweep(root.path()).expect("it can be read");
        assert!(running.exists() && other.exists() && !ended.exists());
    }
}
