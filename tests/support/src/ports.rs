//! Loopback ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that Linux gives to outgoing connections (32768 and up): a port found here is
/// still free when a killed server comes back to it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A free port on loopback, never the same twice in one process.
///
/// # Panics
///
/// When none is free.
pub fn free_port() -> u16 {
    // Processes that run at the same time start their search far from each other.
    let spread = (std::process::id() % 120) as u16 * 100;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (spread + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free on loopback");
}

#[cfg(test)]
mod tests {
    use super::free_port;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let (a, b) = (free_port(), free_port());
        assert_ne!(a, b);
        for port in [a, b] {
            assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
        }
    }
}
