//! Names of time zones in en_US, as Java 17 has them.
//!
//! ```text
//!  zone_names.txt ──once──► zone ─► its group's six names      printing
//!                       └─► long, short names ─► a zone        reading
//! ```
//!
//! Zones that the table does not have go by their id.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::symbols::{Style, starts_with};
use super::zone::Zone;

/// One line for the zones that share all their names, then names with a meaning of their own.
const TABLE: &str = include_str!("zone_names.txt");

/// The names of a group of zones, each long and short.
#[derive(Clone, Copy)]
struct Group {
    standard: Name,
    daylight: Name,
    generic: Name,
}

#[derive(Clone, Copy)]
struct Name {
    long: &'static str,
    short: &'static str,
}

impl Name {
    fn styled(self, style: Style) -> &'static str {
        if style == Style::Full {
            self.long
        } else {
            self.short
        }
    }
}

#[derive(Default)]
struct Names {
    groups: HashMap<&'static str, Group>,
    /// What each name means when it is read.
    long: HashMap<&'static str, &'static str>,
    short: HashMap<&'static str, &'static str>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names::default();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, zone)) = line.split_once('=') {
            let of_style = if name.contains(' ') {
                &mut names.long
            } else {
                &mut names.short
            };
            of_style.insert(name, zone);
            continue;
        }
        let mut cells = line.split('|');
        let mut name = || {
            let (long, short) = (cells.next()?, cells.next()?);
            Some(Name { long, short })
        };
        let (Some(standard), Some(daylight), Some(generic)) = (name(), name(), name()) else {
            continue;
        };
        let zones: Vec<_> = cells.next().unwrap_or_default().split(' ').collect();
        for name in [standard, daylight, generic] {
            if let Some(first) = zones.first() {
                names.long.entry(name.long).or_insert(first);
                names.short.entry(name.short).or_insert(first);
            }
        }
        let group = Group {
            standard,
            daylight,
            generic,
        };
        names
            .groups
            .extend(zones.into_iter().map(|zone| (zone, group)));
    }
    names
});

/// Appends the name of a zone: generic without an instant (seconds since the epoch), else
/// standard or daylight as the zone has it then.
pub(crate) fn write_name(zone: &Zone, at: Option<i64>, style: Style, out: &mut String) {
    let id = zone.id();
    let name = NAMES
        .groups
        .get(&*id)
        .filter(|_| !zone.is_offset())
        .map(|group| match at {
            None => group.generic,
            Some(at) if zone.is_daylight(at) => group.daylight,
            Some(_) => group.standard,
        });
    out.push_str(name.map_or(&*id, |name| name.styled(style)));
}

/// The zone whose name `text` begins with, and the length of that name; the longest one wins.
pub(crate) fn find(text: &str, style: Style, ignore_case: bool) -> Option<(Zone, usize)> {
    let names = if style == Style::Full {
        &NAMES.long
    } else {
        &NAMES.short
    };
    let (name, zone) = names
        .iter()
        .filter(|(name, _)| starts_with(text, name, ignore_case))
        .max_by_key(|(name, _)| name.len())?;
    Some((Zone::parse(zone).ok()?, name.len()))
}
