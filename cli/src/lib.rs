//! The REPL: SQL typed at a prompt, answers as tables.
