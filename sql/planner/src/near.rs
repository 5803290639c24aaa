//! Names that a user may have meant, for the messages of refusals.

use crate::catalog::Catalog;

/// The name most like `wanted`, if one is like it at all: at most a third of its letters differ.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Some letter must be the same: any name is one edit from `A`.
    let letters = wanted.chars().count();
    let limit = letters.div_ceil(3).min(letters.saturating_sub(1));
    names
        .into_iter()
        .map(|name| (distance(&wanted.to_uppercase(), &name.to_uppercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// "Did you mean …" on a line of its own, if one of `names` is like `wanted`; nothing otherwise.
pub fn hint<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, names).map_or_else(String::new, |near| format!("\nDid you mean '{near}'?"))
}

/// The same over the sources of a catalog; a name that differs in case alone needs quotes.
pub(crate) fn source_hint(wanted: &str, catalog: &dyn Catalog) -> String {
    let names = catalog.source_names();
    match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) if near.eq_ignore_ascii_case(wanted) => {
            format!("\nDid you mean `{near}`? Put the name in back-quotes to keep its case.")
        }
        Some(near) => format!("\nDid you mean \"{near}\"?"),
        None => String::new(),
    }
}

/// Edits (insert, remove, replace a character) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *above;
            *above = replaced.min(left + 1).min(diagonal + 1);
            left = *above;
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
    fn counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("AB", "AB", 0),
            ("AB", "B", 1),
            ("KITTEN", "SITTING", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn suggests_only_what_is_like_it() {
        let names = ["PAGEVIEWS", "USERS", "ORDERS"];
        assert_eq!(nearest("PAGEVIEW", names), Some("PAGEVIEWS"));
        assert_eq!(nearest("user", names), Some("USERS"));
        assert_eq!(nearest("NOPE", names), None);
        assert_eq!(nearest("C", ["H", "c2"]), None);
        assert_eq!(nearest("C", ["H", "c"]), Some("c"));
    }
}
