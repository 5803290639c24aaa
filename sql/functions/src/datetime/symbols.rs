//! Names of months, days and the like in en_US, as Java 17 has them (CLDR).

/// How long a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `Jan`, `AM`, `AD`.
    Short,
    /// `January`, `Anno Domini`.
    Full,
    /// `J`.
    Narrow,
}

/// A field that has names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Era,
    Quarter,
    Month,
    DayOfWeek,
    HalfDay,
    DayPeriod,
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Monday.
pub(crate) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Parts of the day with the first and the last minute; midnight and noon are one minute long.
const DAY_PERIODS: [(&str, i64, i64); 7] = [
    ("midnight", 0, 0),
    ("noon", 720, 720),
    ("in the morning", 360, 719),
    ("in the afternoon", 720, 1079),
    ("in the evening", 1080, 1259),
    ("at night", 1260, 1439),
    ("at night", 0, 359),
];

impl Named {
    /// The name of a value (month from 1, Monday is 1, AM is 0, BC is 0; of a day period the
    /// minute of the day).
    pub(crate) fn name(self, value: i64, style: Style) -> Option<&'static str> {
        let index = usize::try_from(value).ok()?;
        let shorten = |name: &'static str| match style {
            Style::Full => Some(name),
            Style::Short => name.get(..3),
            Style::Narrow => name.get(..1),
        };
        match self {
            Self::Month => shorten(MONTHS.get(index.checked_sub(1)?)?),
            Self::DayOfWeek => shorten(DAYS.get(index.checked_sub(1)?)?),
            Self::HalfDay => match style {
                Style::Narrow => ["a", "p"].get(index).copied(),
                _ => ["AM", "PM"].get(index).copied(),
            },
            Self::Era => match style {
                Style::Full => ["Before Christ", "Anno Domini"],
                Style::Short => ["BC", "AD"],
                Style::Narrow => ["B", "A"],
            }
            .get(index)
            .copied(),
            Self::Quarter => match style {
                Style::Full => ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"],
                Style::Short => ["Q1", "Q2", "Q3", "Q4"],
                Style::Narrow => ["1", "2", "3", "4"],
            }
            .get(index.checked_sub(1)?)
            .copied(),
            Self::DayPeriod => DAY_PERIODS
                .iter()
                .find(|(_, first, last)| (*first..=*last).contains(&value))
                .map(|(name, ..)| match (style, *name) {
                    (Style::Narrow, "midnight") => "mi",
                    (Style::Narrow, "noon") => "n",
                    (_, name) => name,
                }),
        }
    }

    /// Values that have a name; of day periods one minute of each.
    pub(crate) fn values(self) -> &'static [i64] {
        match self {
            Self::Era | Self::HalfDay => &[0, 1],
            Self::Quarter => &[1, 2, 3, 4],
            Self::Month => &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            Self::DayOfWeek => &[1, 2, 3, 4, 5, 6, 7],
            Self::DayPeriod => &[0, 720, 360, 721, 1080, 1260],
        }
    }

    /// The value whose name `text` begins with, and the name's length; the longest name wins.
    pub(crate) fn find(self, text: &str, style: Style, ignore_case: bool) -> Option<(i64, usize)> {
        self.values()
            .iter()
            .filter_map(|value| {
                let name = self.name(*value, style)?;
                starts_with(text, name, ignore_case).then_some((*value, name.len()))
            })
            .max_by_key(|(_, length)| *length)
    }
}

/// Whether `text` begins with `prefix`, which is ASCII where case is ignored.
pub(crate) fn starts_with(text: &str, prefix: &str, ignore_case: bool) -> bool {
    match text.get(..prefix.len()) {
        Some(start) if ignore_case => start.eq_ignore_ascii_case(prefix),
        Some(start) => start == prefix,
        None => false,
    }
}
