//! FORMAT_*, PARSE_* and the older names for the same.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::{MILLIS_PER_DAY, now_millis};
use crate::datetime::{JavaPattern, SimpleDatePattern, Zone};
use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

const PATTERN: Param = Param::new(
    "formatPattern",
    Type::String,
    "a pattern of Java's DateTimeFormatter, such as 'yyyy-MM-dd HH:mm:ss'",
);
const SIMPLE_PATTERN: Param = Param::new(
    "formatPattern",
    Type::String,
    "a pattern of Java's SimpleDateFormat, such as 'yyyy-MM-dd'",
);
const ZONE: Param = Param::new(
    "timeZone",
    Type::String,
    "a time zone, such as 'UTC', 'Europe/London' or '+02:00'",
);
const TIMESTAMP: Param = Param::new("timestamp", Type::Timestamp, "the timestamp");
const TIMESTAMP_TEXT: Param = Param::new("formattedTimestamp", Type::String, "the text");
const DATE_TEXT: Param = Param::new("formattedDate", Type::String, "the text");
const MILLIS: Param = Param::new(
    "epochMilli",
    Type::Bigint,
    "milliseconds since 1970-01-01T00:00 GMT",
);

/// The functions of this module.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "FORMAT_DATE",
        Category::DateTime,
        "A DATE as text, by a pattern.",
        &[Variant::new(
            &[Param::new("date", Type::Date, "the date"), PATTERN],
            Type::String,
            |call| {
                let date = call.dates(0)?;
                print(call, |pattern, row, out| {
                    Some(pattern.format_date(date.get(row)?, out))
                })
            },
        )],
    ),
    Function::scalar(
        "FORMAT_TIME",
        Category::DateTime,
        "A TIME as text, by a pattern.",
        &[Variant::new(
            &[Param::new("time", Type::Time, "the time"), PATTERN],
            Type::String,
            |call| {
                let time = call.times(0)?;
                print(call, |pattern, row, out| {
                    Some(pattern.format_time(time.get(row)?, out))
                })
            },
        )],
    ),
    Function::scalar(
        "FORMAT_TIMESTAMP",
        Category::DateTime,
        "A TIMESTAMP as text, by a pattern, as the clocks of a zone show it.",
        &[
            Variant::new(&[TIMESTAMP, PATTERN], Type::String, |call| {
                let timestamp = call.timestamps(0)?;
                print_timestamps(call, |row| timestamp.get(row), Zone::gmt())
            })
            .described("A TIMESTAMP as text, by a pattern, in GMT."),
            Variant::new(&[TIMESTAMP, PATTERN, ZONE], Type::String, |call| {
                let timestamp = call.timestamps(0)?;
                print_timestamps(call, |row| timestamp.get(row), Zone::gmt())
            }),
        ],
    ),
    Function::scalar(
        "PARSE_DATE",
        Category::DateTime,
        "The DATE that a text says, by a lenient pattern.",
        &[Variant::new(
            &[DATE_TEXT, SIMPLE_PATTERN],
            Type::Date,
            |call| {
                let text = call.strings(0)?;
                let pattern = call.strings(1)?;
                let mut patterns = call.compiled(SimpleDatePattern::compile);
                let today = now_millis().div_euclid(MILLIS_PER_DAY);
                call.to_dates(|row| {
                    let (text, pattern) = (text.get(row)?, pattern.get(row)?);
                    logged(patterns.get(pattern)?.parse(text, today))
                })
            },
        )],
    ),
    Function::scalar(
        "PARSE_TIME",
        Category::DateTime,
        "The TIME that a text says, by a pattern.",
        &[Variant::new(
            &[
                Param::new("formattedTime", Type::String, "the text"),
                PATTERN,
            ],
            Type::Time,
            |call| {
                let (text, pattern) = (call.strings(0)?, call.strings(1)?);
                let mut patterns = call.compiled(JavaPattern::compile);
                call.to_times(|row| {
                    let (text, pattern) = (text.get(row)?, pattern.get(row)?);
                    logged(patterns.get(pattern)?.parse_time(text))
                })
            },
        )],
    ),
    Function::scalar(
        "PARSE_TIMESTAMP",
        Category::DateTime,
        "The TIMESTAMP that a text says, by a pattern; a zone in the text counts before the \
         argument.",
        &[
            Variant::new(&[TIMESTAMP_TEXT, PATTERN], Type::Timestamp, |call| {
                let read = timestamps(call, Zone::gmt())?;
                call.to_timestamps(read)
            })
            .described("The TIMESTAMP that a text says, by a pattern, in GMT."),
            Variant::new(&[TIMESTAMP_TEXT, PATTERN, ZONE], Type::Timestamp, |call| {
                let read = timestamps(call, Zone::gmt())?;
                call.to_timestamps(read)
            }),
        ],
    ),
    Function::scalar(
        "DATETOSTRING",
        Category::DateTime,
        "Days since 1970-01-01 as the text of that date. Better: FORMAT_DATE.",
        &[Variant::new(
            &[
                Param::new("epochDays", Type::Integer, "days since 1970-01-01"),
                PATTERN,
            ],
            Type::String,
            |call| {
                let days = call.ints(0)?;
                print(call, |pattern, row, out| {
                    Some(pattern.format_date(days.get(row)?, out))
                })
            },
        )],
    ),
    Function::scalar(
        "STRINGTODATE",
        Category::DateTime,
        "The days since 1970-01-01 of the date that a text says. Better: PARSE_DATE.",
        &[Variant::new(&[DATE_TEXT, PATTERN], Type::Integer, |call| {
            let (text, pattern) = (call.strings(0)?, call.strings(1)?);
            let mut patterns = call.compiled(JavaPattern::compile);
            call.to_ints(|row| {
                let (text, pattern) = (text.get(row)?, pattern.get(row)?);
                logged(patterns.get(pattern)?.parse_date(text)).map(|days| days as i32)
            })
        })],
    ),
    Function::scalar(
        "TIMESTAMPTOSTRING",
        Category::DateTime,
        "Milliseconds since 1970-01-01T00:00 GMT as the text of that time. Better: \
         FORMAT_TIMESTAMP.",
        &[
            Variant::new(&[MILLIS, PATTERN], Type::String, |call| {
                let millis = call.bigints(0)?;
                print_timestamps(call, |row| millis.get(row), Zone::of_server())
            })
            .described("The text in the zone of the server."),
            Variant::new(&[MILLIS, PATTERN, ZONE], Type::String, |call| {
                let millis = call.bigints(0)?;
                print_timestamps(call, |row| millis.get(row), Zone::gmt())
            }),
        ],
    ),
    Function::scalar(
        "STRINGTOTIMESTAMP",
        Category::DateTime,
        "The milliseconds since 1970-01-01T00:00 GMT of the time that a text says. Better: \
         PARSE_TIMESTAMP.",
        &[
            Variant::new(&[TIMESTAMP_TEXT, PATTERN], Type::Bigint, |call| {
                let read = timestamps(call, Zone::of_server())?;
                call.to_bigints(read)
            })
            .described("The time in the zone of the server."),
            Variant::new(&[TIMESTAMP_TEXT, PATTERN, ZONE], Type::Bigint, |call| {
                let read = timestamps(call, Zone::gmt())?;
                call.to_bigints(read)
            }),
        ],
    ),
];

/// The value, or a row error and `None`.
fn logged<T>(result: Result<T, String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(message) => row_error(|| message),
    }
}

/// A STRING column of what `write` prints by the pattern in the second argument.
fn print(
    call: &Call<'_>,
    mut write: impl FnMut(&JavaPattern, usize, &mut String) -> Option<Result<(), String>>,
) -> Result<ArrayRef> {
    let pattern = call.strings(1)?;
    let mut patterns = call.compiled(JavaPattern::compile);
    call.write_strings(|row, out| {
        let pattern = patterns.get(pattern.get(row)?)?;
        logged(write(pattern, row, out)?)
    })
}

/// A STRING column of timestamps, in the zone of the third argument or else in `default`.
fn print_timestamps(
    call: &Call<'_>,
    millis: impl Fn(usize) -> Option<i64>,
    default: Zone,
) -> Result<ArrayRef> {
    let given = call.has(2).then(|| call.strings(2)).transpose()?;
    let mut zones = Zones::default();
    print(call, |pattern, row, out| {
        let millis = millis(row)?;
        let zone = match &given {
            Some(ids) => zones.get(ids.get(row)?)?,
            None => &default,
        };
        Some(pattern.format_timestamp(millis, zone, out))
    })
}

/// Reads the timestamps that the first argument says, in milliseconds.
fn timestamps<'a>(
    call: &'a Call<'_>,
    default: Zone,
) -> Result<impl FnMut(usize) -> Option<i64> + use<'a>> {
    let (text, pattern) = (call.strings(0)?, call.strings(1)?);
    let given = call.has(2).then(|| call.strings(2)).transpose()?;
    let mut patterns = call.compiled(JavaPattern::compile);
    let mut zones = Zones::default();
    Ok(move |row| {
        let (text, pattern) = (text.get(row)?, pattern.get(row)?);
        let zone = match &given {
            Some(ids) => zones.get(ids.get(row)?)?,
            None => &default,
        };
        logged(patterns.get(pattern)?.parse_timestamp(text, zone))
    })
}

/// Remembers the zone that was asked for last.
#[derive(Default)]
pub(super) struct Zones {
    last: Option<(String, Result<Zone, String>)>,
}

impl Zones {
    /// The zone of this id; a row error and `None` if there is none.
    pub(super) fn get(&mut self, id: &str) -> Option<&Zone> {
        if self.last.as_ref().is_none_or(|(last, _)| last != id) {
            self.last = Some((id.to_owned(), Zone::parse(id)));
        }
        match &self.last {
            Some((_, Ok(zone))) => Some(zone),
            Some((_, Err(message))) => row_error(|| message.clone()),
            None => None,
        }
    }
}
