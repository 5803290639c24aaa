//! Dates, times and timestamps (spec/sql.md §7.1 "Date and time"). The patterns are in
//! [`crate::datetime`].

mod arithmetic;
mod patterns;

use crate::registry::{Category, Function, Param, Type, Variant};

pub(super) use arithmetic::FUNCTIONS as ARITHMETIC;
pub(super) use patterns::FUNCTIONS as PATTERNS;

/// Converts between days or milliseconds and dates or timestamps.
pub(super) const CONVERSIONS: &[Function] = &[
    Function::scalar(
        "FROM_DAYS",
        Category::DateTime,
        "The DATE that lies so many days after 1970-01-01.",
        &[Variant::new(
            &[Param::new("days", Type::Integer, "days since 1970-01-01")],
            Type::Date,
            |call| {
                let days = call.ints(0)?;
                call.to_dates(|row| days.get(row))
            },
        )],
    ),
    Function::scalar(
        "FROM_UNIXTIME",
        Category::DateTime,
        "The TIMESTAMP that lies so many milliseconds after 1970-01-01T00:00 GMT.",
        &[Variant::new(
            &[Param::new(
                "epochMilli",
                Type::Bigint,
                "milliseconds since 1970-01-01T00:00 GMT",
            )],
            Type::Timestamp,
            |call| {
                let millis = call.bigints(0)?;
                call.to_timestamps(|row| millis.get(row))
            },
        )],
    ),
    Function::scalar(
        "UNIX_DATE",
        Category::DateTime,
        "The days from 1970-01-01 to a DATE, or to today.",
        &[
            Variant::new(&[], Type::Integer, |call| {
                let today = now_millis().div_euclid(MILLIS_PER_DAY) as i32;
                call.to_ints(|_| Some(today))
            })
            .described("The days from 1970-01-01 to today."),
            Variant::new(
                &[Param::new("date", Type::Date, "the date")],
                Type::Integer,
                |call| {
                    let date = call.dates(0)?;
                    call.to_ints(|row| date.get(row))
                },
            )
            .described("The days from 1970-01-01 to a DATE."),
        ],
    )
    .volatile(),
    Function::scalar(
        "UNIX_TIMESTAMP",
        Category::DateTime,
        "The milliseconds from 1970-01-01T00:00 GMT to a TIMESTAMP, or to now.",
        &[
            Variant::new(&[], Type::Bigint, |call| {
                let now = now_millis();
                call.to_bigints(|_| Some(now))
            })
            .described("The milliseconds from 1970-01-01T00:00 GMT to now."),
            Variant::new(
                &[Param::new("timestamp", Type::Timestamp, "the timestamp")],
                Type::Bigint,
                |call| {
                    let timestamp = call.timestamps(0)?;
                    call.to_bigints(|row| timestamp.get(row))
                },
            )
            .described("The milliseconds from 1970-01-01T00:00 GMT to a TIMESTAMP."),
        ],
    )
    .volatile(),
];

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since the epoch by the server's clock. Only functions that SQL defines by the
/// clock ask for it.
fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
