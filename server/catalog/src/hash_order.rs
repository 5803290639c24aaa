//! The order in which Java's `HashSet<String>` gives its members: some lists of the API have it.

/// Java's `String.hashCode`, over UTF-16 code units.
fn hash(text: &str) -> u32 {
    text.encode_utf16().fold(0u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// Sorts distinct names, given in the order of insertion, as a `HashSet` iterates over them:
/// by bucket of a table of at least 16, at most three quarters full; then by insertion.
pub(crate) fn sort(names: &mut [String]) {
    let mut buckets = 16;
    while names.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    names.sort_by_key(|name| {
        let hash = hash(name);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_by_bucket() {
        assert_eq!(hash("EXT"), 69_121);
        assert_eq!(hash("polygenelubricants"), 0x8000_0000);
        for (given, expected) in [
            (vec!["EXS", "EXT"], vec!["EXT", "EXS"]),
            // In one bucket: as inserted.
            (vec!["BB", "Aa"], vec!["BB", "Aa"]),
        ] {
            let mut names: Vec<String> = given.into_iter().map(str::to_owned).collect();
            sort(&mut names);
            assert_eq!(names, expected);
        }
    }
}
