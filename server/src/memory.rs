//! How the C allocator, which RocksDB, librdkafka and Rust share, gives memory back.
//!
//! By its defaults every thread has an arena of its own, and blocks of up to 32 MiB lie in arenas:
//! the large buffers of an epoch, which live for a moment, leave holes that nothing else fits, once
//! for every thread that ever had one (measured: a third of all resident memory). So blocks of a
//! mebibyte and more are mapped by themselves, which also lets them grow without being copied.

/// Sets the allocator up; called before any thread is started.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn set_up() {
    const ARENAS: libc::c_int = 4;
    const BLOCK: libc::c_int = 1 << 20;
    const KEPT: libc::c_int = 4 << 20;
    // SAFETY: `mallopt` only sets parameters, and no other thread is there yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, BLOCK);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Other allocators do well by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn set_up() {}
