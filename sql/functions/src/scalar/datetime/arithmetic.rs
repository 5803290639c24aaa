//! DATEADD, TIMEADD, TIMESTAMPADD and their opposites; CONVERT_TZ.
//!
//! As in the reference, an amount too large for the unit stays at the largest number of
//! milliseconds (of nanoseconds for TIME), and sums wrap.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::MILLIS_PER_DAY;
use super::patterns::Zones;
use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

const UNIT: Param = Param::new(
    "unit",
    Type::Unit,
    "DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS",
);
const INTERVAL: Param = Param::new("interval", Type::Integer, "how many units");

const NANOS_PER_DAY: i64 = 86_400_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A function that moves a value by an amount.
macro_rules! shift {
    ($name:literal, $param:literal, $type:expr, $description:literal, $kernel:expr) => {
        Function::scalar(
            $name,
            Category::DateTime,
            $description,
            &[Variant::new(
                &[
                    UNIT,
                    INTERVAL,
                    Param::new($param, $type, "the value to move"),
                ],
                $type,
                $kernel,
            )],
        )
    };
}

/// The functions of this module.
pub(crate) const FUNCTIONS: &[Function] = &[
    shift!(
        "DATEADD",
        "date",
        Type::Date,
        "A DATE moved on by an interval.",
        |call| { shift_dates(call, 1) }
    ),
    shift!(
        "DATESUB",
        "date",
        Type::Date,
        "A DATE moved back by an interval.",
        |call| { shift_dates(call, -1) }
    ),
    shift!(
        "TIMEADD",
        "time",
        Type::Time,
        "A TIME moved on by an interval.",
        |call| { shift_times(call, 1) }
    ),
    shift!(
        "TIMESUB",
        "time",
        Type::Time,
        "A TIME moved back by an interval.",
        |call| { shift_times(call, -1) }
    ),
    shift!(
        "TIMESTAMPADD",
        "timestamp",
        Type::Timestamp,
        "A TIMESTAMP moved on by an interval.",
        |call| shift_timestamps(call, 1)
    ),
    shift!(
        "TIMESTAMPSUB",
        "timestamp",
        Type::Timestamp,
        "A TIMESTAMP moved back by an interval.",
        |call| shift_timestamps(call, -1)
    ),
    Function::scalar(
        "CONVERT_TZ",
        Category::DateTime,
        "A TIMESTAMP as the clocks of one zone show it, moved to how those of another zone do.",
        &[Variant::new(
            &[
                Param::new("timestamp", Type::Timestamp, "the timestamp"),
                Param::new("fromTimeZone", Type::String, "zone of the timestamp"),
                Param::new("toTimeZone", Type::String, "zone of the result"),
            ],
            Type::Timestamp,
            convert_zone,
        )],
    ),
];

/// Milliseconds of a unit.
fn unit_millis(unit: &str) -> Option<i64> {
    Some(match unit {
        "DAYS" => MILLIS_PER_DAY,
        "HOURS" => 3_600_000,
        "MINUTES" => 60_000,
        "SECONDS" => 1000,
        "MILLISECONDS" | "MILLISECOND" => 1,
        _ => return row_error(|| format!("Unknown unit of time: {unit}")),
    })
}

/// The amount in milliseconds, signed as the function has it.
fn amount(unit: &str, interval: i32, sign: i64) -> Option<i64> {
    // Negation comes after the limit, as TimeUnit.toMillis has it.
    Some(
        i64::from(interval)
            .saturating_mul(unit_millis(unit)?)
            .wrapping_mul(sign),
    )
}

fn shift_dates(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let (unit, interval, date) = (call.strings(0)?, call.ints(1)?, call.dates(2)?);
    call.to_dates(|row| {
        let (unit, interval, date) = (unit.get(row)?, interval.get(row)?, date.get(row)?);
        let millis = i64::from(date) * MILLIS_PER_DAY;
        let moved = millis.wrapping_add(amount(unit, interval, sign)?);
        // Toward zero, as TimeUnit.toDays divides.
        Some((moved / MILLIS_PER_DAY) as i32)
    })
}

fn shift_times(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let (unit, interval, time) = (call.strings(0)?, call.ints(1)?, call.times(2)?);
    call.to_times(|row| {
        let (unit, interval, time) = (unit.get(row)?, interval.get(row)?, time.get(row)?);
        let nanos = i64::from(time) * NANOS_PER_MILLI;
        if !(0..NANOS_PER_DAY).contains(&nanos) {
            return row_error(|| format!("{time} milliseconds are not within a day"));
        }
        let unit_nanos = unit_millis(unit)? * NANOS_PER_MILLI;
        let moved = i64::from(interval).saturating_mul(unit_nanos) % NANOS_PER_DAY * sign;
        Some(((nanos + moved).rem_euclid(NANOS_PER_DAY) / NANOS_PER_MILLI) as i32)
    })
}

fn shift_timestamps(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let (unit, interval, timestamp) = (call.strings(0)?, call.ints(1)?, call.timestamps(2)?);
    call.to_timestamps(|row| {
        let (unit, interval) = (unit.get(row)?, interval.get(row)?);
        let timestamp = timestamp.get(row)?;
        Some(timestamp.wrapping_add(amount(unit, interval, sign)?))
    })
}

fn convert_zone(call: &Call<'_>) -> Result<ArrayRef> {
    let (timestamp, from, to) = (call.timestamps(0)?, call.strings(1)?, call.strings(2)?);
    let (mut from_zones, mut to_zones) = (Zones::default(), Zones::default());
    call.to_timestamps(|row| {
        let (timestamp, from, to) = (timestamp.get(row)?, from.get(row)?, to.get(row)?);
        let seconds = timestamp.div_euclid(1000);
        let from = from_zones.get(from)?.offset_at(seconds);
        let to = to_zones.get(to)?.offset_at(seconds);
        Some(timestamp.wrapping_add((to - from) * 1000))
    })
}
