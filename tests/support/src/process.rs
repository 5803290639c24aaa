//! What a process has used, from `/proc`.

use std::fs;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// CPU time of all its threads, user and system, seconds.
    pub cpu_seconds: f64,
    /// Highest resident memory, MiB.
    pub peak_mib: u64,
    /// Resident memory now, MiB.
    pub resident_mib: f64,
    /// Threads that it has now.
    pub threads: u64,
}

impl Usage {
    /// Of a process that runs; `None` when it does not.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything; what follows it is words.
        let words: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks: u64 =
            words.get(11)?.parse::<u64>().ok()? + words.get(12)?.parse::<u64>().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            cpu_seconds: ticks as f64 / ticks_per_second(),
            peak_mib: number("VmHWM:")? / 1024,
            resident_mib: number("VmRSS:")? as f64 / 1024.0,
            threads: number("Threads:")?,
        })
    }
}

fn ticks_per_second() -> f64 {
    // SAFETY: a plain call without arguments that could be wrong
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn reads_its_own_process() {
        let usage = Usage::of(std::process::id()).expect("this process runs");
        assert!(usage.resident_mib > 0.0 && usage.threads > 0, "{usage:?}");
        assert_eq!(Usage::of(u32::MAX), None);
    }
}
