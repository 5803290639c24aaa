//! Identifiers: how names are folded and quoted (spec/sql.md §1).

/// `name` in back-quotes, back-quotes inside doubled.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Whether `name` reads back as itself without quotes: upper case letters, digits, `_`, `@`, not
/// starting with a digit or `@`. Reserved words are the parser's business.
pub fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_uppercase() || c == '_')
        && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '@')
}

/// `name` as it may stand in SQL: bare where it reads back as itself, else in back-quotes.
pub fn quoted_if_needed(name: &str) -> String {
    if is_plain(name) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// The system columns that every source has (spec/sql.md §5.1).
pub mod pseudo {
    /// The record's timestamp, BIGINT.
    pub const ROWTIME: &str = "ROWTIME";
    /// The source record's partition, INTEGER.
    pub const ROWPARTITION: &str = "ROWPARTITION";
    /// The source record's offset, BIGINT.
    pub const ROWOFFSET: &str = "ROWOFFSET";
    /// Start of the window, BIGINT; windowed sources and aggregates only.
    pub const WINDOWSTART: &str = "WINDOWSTART";
    /// End of the window, BIGINT; windowed sources and aggregates only.
    pub const WINDOWEND: &str = "WINDOWEND";

    /// Whether `name` is one of the five.
    pub fn is_pseudo(name: &str) -> bool {
        [ROWTIME, ROWPARTITION, ROWOFFSET, WINDOWSTART, WINDOWEND].contains(&name)
    }
}
