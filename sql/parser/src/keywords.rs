//! Reserved and non-reserved words (spec/sql.md §1), and the keyword that a mistyped word is
//! nearest to.

/// Words that need quotes where a name is due.
const RESERVED: &[&str] = &[
    "ADVANCE",
    "ALL",
    "AND",
    "AS",
    "AT",
    "BEGINNING",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CATALOG",
    "CONNECTOR",
    "CONNECTORS",
    "CREATE",
    "DAYS",
    "DECIMAL",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "EXPORT",
    "EXTENDED",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "HOPPING",
    "HOURS",
    "IN",
    "INNER",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LIST",
    "LOAD",
    "MATERIALIZED",
    "MILLISECOND",
    "MILLISECONDS",
    "MINUTES",
    "MONTHS",
    "NAMESPACE",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "OUTER",
    "PAUSE",
    "PRINT",
    "PROPERTIES",
    "QUERIES",
    "QUERY",
    "RENAME",
    "RESUME",
    "RETENTION",
    "RIGHT",
    "RUN",
    "SAMPLE",
    "SCRIPT",
    "SECONDS",
    "SELECT",
    "SIZE",
    "STREAM",
    "STREAMS",
    "TABLE",
    "TERMINATE",
    "THEN",
    "TO",
    "TOPIC",
    "TOPICS",
    "TRUE",
    "TUMBLING",
    "UNSET",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "YEARS",
];

/// Words that begin a statement. Of equally near ones the first is suggested.
pub(crate) const STATEMENT_STARTS: &[&str] = &[
    "SELECT",
    "CREATE",
    "INSERT",
    "DESCRIBE",
    "PRINT",
    "EXPLAIN",
    "SHOW",
    "LIST",
    "TERMINATE",
    "PAUSE",
    "RESUME",
    "SET",
    "DROP",
    "UNSET",
    "DEFINE",
    "UNDEFINE",
    "ALTER",
    "ASSERT",
];

/// Whether `word` (any case) cannot stand as a name without quotes.
pub fn is_reserved(word: &str) -> bool {
    RESERVED
        .binary_search_by(|probe| cmp_upper(probe, word))
        .is_ok()
}

fn cmp_upper(upper: &str, word: &str) -> std::cmp::Ordering {
    upper
        .bytes()
        .cmp(word.bytes().map(|b| b.to_ascii_uppercase()))
}

/// The word of `candidates` with the fewest edits from `word`, and their number.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<(&'a str, usize)> {
    let word: String = word
        .chars()
        .take(64)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    candidates
        .iter()
        .map(|c| (*c, edits(&word, c)))
        .min_by_key(|(_, n)| *n)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_and_found_in_any_case() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("select") && is_reserved("Within") && is_reserved("YEARS"));
        for word in ["show", "ID", "KEY", "emit", "STRING", "", "SELECTED"] {
            assert!(!is_reserved(word), "{word}");
        }
    }

    #[test]
    fn suggests_the_nearest_statement() {
        for (word, start) in [
            ("FOO", "SHOW"),
            ("UPDATE", "CREATE"),
            ("DELETE", "SELECT"),
            ("nonsense", "INSERT"),
            ("RUN", "PRINT"),
            ("1", "SET"),
            (";", "SET"),
            ("SELCT", "SELECT"),
        ] {
            assert_eq!(
                nearest(word, STATEMENT_STARTS).map(|n| n.0),
                Some(start),
                "{word}"
            );
        }
    }
}
