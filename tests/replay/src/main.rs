//! Plays recorded HTTP exchanges and CLI transcripts against a server of its own.
fn main() {}
