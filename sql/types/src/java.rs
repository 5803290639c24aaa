//! Numbers as Java prints and reads them.

use std::fmt::Write;

use crate::java_digits::digits_of;

/// Where text is appended to: a `String` or, on the way to the wire, a byte buffer.
pub trait TextSink {
    /// Appends `text`.
    fn push_text(&mut self, text: &str);
}

impl TextSink for String {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl TextSink for Vec<u8> {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Zeros to lay numbers out with.
const ZEROS: &str =
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000";

fn push_zeros<S: TextSink + ?Sized>(out: &mut S, mut count: usize) {
    while count > 0 {
        let some = count.min(ZEROS.len());
        out.push_text(&ZEROS[..some]);
        count -= some;
    }
}

/// Appends `value` as Java's `Double.toString` prints it: `1.0`, `1.0E7`, `1.0E-4`, `NaN`,
/// `-Infinity` (spec/formats.md §1.9). The digits are those of Java 17, which are not always the
/// shortest that read back as the same double.
/// Allocates nothing beyond what `out` grows by.
pub fn write_double<S: TextSink + ?Sized>(value: f64, out: &mut S) {
    if value.is_nan() {
        out.push_text("NaN");
        return;
    }
    if value.is_sign_negative() {
        out.push_text("-");
    }
    let value = value.abs();
    if value.is_infinite() {
        out.push_text("Infinity");
        return;
    }
    // Whole numbers and prices need no search for the shortest digits: a number of at most 15
    // digits that divides back to the same double is the only one as short.
    if value < 1e7 && (value >= 1e-3 || value == 0.0) {
        let hundredths = (value * 100.0).round();
        if hundredths / 100.0 == value {
            let hundredths = hundredths as u64;
            let mut buffer = itoa::Buffer::new();
            out.push_text(buffer.format(hundredths / 100));
            let rest = (hundredths % 100) as usize;
            let (tens, ones) = (rest / 10, rest % 10);
            out.push_text(".");
            out.push_text(&"0123456789"[tens..=tens]);
            if ones != 0 {
                out.push_text(&"0123456789"[ones..=ones]);
            }
            return;
        }
    }
    write_positive(value, out);
}

/// Appends a finite double above zero.
fn write_positive<S: TextSink + ?Sized>(value: f64, out: &mut S) {
    // ryu prints d.ddde±n or plain; digits and exponent are taken from it and laid out anew.
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // The digits in one run, in a buffer that holds the longest form ryu prints.
    let mut digits = [b'0'; 40];
    let mut count = 0;
    for (slot, byte) in digits.iter_mut().zip(whole.bytes().chain(fraction.bytes())) {
        *slot = byte;
        count += 1;
    }
    let run = std::str::from_utf8(&digits[..count]).unwrap_or_default();
    let significant = run.trim_start_matches('0');
    // Decimal exponent of the first significant digit.
    let first = whole.len() as i32 - 1 - (run.len() - significant.len()) as i32 + exponent;
    let significant = match significant.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    // At most 15 digits are the only ones as short; of more Java may find others, as it may of
    // very large and very small numbers (2E23 is 1.9999999999999998E23). Large whole numbers keep more digits.
    let large_whole = (9_007_199_254_740_992.0..9_223_372_036_854_775_808.0).contains(&value);
    let moderate = (1e-20..1e17).contains(&value);
    if significant.len() <= 15 && moderate && !large_whole {
        return lay_out(significant, first, out);
    }
    let digits = digits_of(value);
    let significant = digits.text();
    let trimmed = match significant.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    lay_out(trimmed, digits.exponent - 1, out);
}

/// Appends a number of these digits, the first of which stands for `10^first`.
fn lay_out<S: TextSink + ?Sized>(significant: &str, first: i32, out: &mut S) {
    if (-3..7).contains(&first) {
        if first < 0 {
            out.push_text("0.");
            push_zeros(out, (-first - 1) as usize);
            out.push_text(significant);
        } else {
            let split = (first + 1) as usize;
            if significant.len() <= split {
                out.push_text(significant);
                push_zeros(out, split - significant.len());
                out.push_text(".0");
            } else {
                out.push_text(&significant[..split]);
                out.push_text(".");
                out.push_text(&significant[split..]);
            }
        }
    } else {
        out.push_text(&significant[..1]);
        out.push_text(".");
        out.push_text(if significant.len() > 1 {
            &significant[1..]
        } else {
            "0"
        });
        out.push_text("E");
        out.push_text(itoa::Buffer::new().format(first));
    }
}

/// `value` as [`write_double`] prints it.
pub fn double_to_string(value: f64) -> String {
    let mut out = String::with_capacity(24);
    write_double(value, &mut out);
    out
}

/// Appends an unscaled decimal (its decimal digits, with a leading `-` if negative) at `scale`
/// the way `BigDecimal.toPlainString` does: `12.30`, `0.0000`, never an exponent.
pub fn write_decimal_plain<S: TextSink + ?Sized>(unscaled: &str, scale: u32, out: &mut S) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", unscaled),
    };
    out.push_text(sign);
    let scale = scale as usize;
    if scale == 0 {
        out.push_text(digits);
    } else if digits.len() > scale {
        out.push_text(&digits[..digits.len() - scale]);
        out.push_text(".");
        out.push_text(&digits[digits.len() - scale..]);
    } else {
        out.push_text("0.");
        push_zeros(out, scale - digits.len());
        out.push_text(digits);
    }
}

/// Appends an unscaled decimal at `scale` the way `BigDecimal.toString` does: plain unless the
/// adjusted exponent is below -6 (`1E-8`, `0E-8`).
pub fn write_decimal<S: TextSink + ?Sized>(unscaled: &str, scale: u32, out: &mut S) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", unscaled),
    };
    let adjusted = digits.len() as i64 - 1 - i64::from(scale);
    if scale == 0 || adjusted >= -6 {
        write_decimal_plain(unscaled, scale, out);
        return;
    }
    out.push_text(sign);
    out.push_text(&digits[..1]);
    if digits.len() > 1 {
        out.push_text(".");
        out.push_text(&digits[1..]);
    }
    out.push_text("E");
    out.push_text(itoa::Buffer::new().format(adjusted));
}

/// Reads a double as Java's `Double.parseDouble` does: surrounding blanks and control characters
/// are dropped; `NaN` and `Infinity` in exactly this case; an optional suffix `d`, `D`, `f` or
/// `F`; hexadecimal numbers with a binary exponent (`0x1.8p3`).
pub fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = match body {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = body.strip_suffix(['d', 'D', 'f', 'F']);
            match body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
                Some(hex) => {
                    parse_hex_double(hex.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(hex))?
                }
                None => {
                    let digits = digits.unwrap_or(body);
                    // Rust also takes a sign here, `inf` and `infinity`.
                    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                        return None;
                    }
                    digits.parse().ok()?
                }
            }
        }
    };
    Some(if negative { -value } else { value })
}

/// `1.8p3`: hexadecimal digits with at most one point, then a binary exponent. Digits beyond the
/// 60 bits that fit are dropped but for a sticky bit, which keeps the rounding right.
fn parse_hex_double(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let power = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if power.is_empty() || !power.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Beyond this every double is zero or infinite, however many digits follow.
    const FAR: i64 = 1 << 40;
    let far = if exponent.starts_with('-') { -FAR } else { FAR };
    let mut exponent = exponent.parse().map_or(far, |e: i64| e.clamp(-FAR, FAR));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    exponent -= 4 * fraction.len() as i64;
    let mut value = 0u64;
    for c in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(c.to_digit(16)?);
        if value >> 56 == 0 {
            value = value << 4 | digit;
        } else {
            value |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    Some(scale_by_power_of_two(value, exponent))
}

/// `value × 2^exponent`, rounded once to the nearest double, ties to even.
fn scale_by_power_of_two(value: u64, exponent: i64) -> f64 {
    if value == 0 {
        return 0.0;
    }
    // Exponent of the last bit that a double of this size holds.
    let top = exponent.saturating_add(63 - i64::from(value.leading_zeros()));
    let last = (top - 52).max(-1074);
    let drop = last.saturating_sub(exponent);
    let (bits, exponent) = if drop <= 0 {
        (value, exponent)
    } else if drop > 64 {
        return 0.0;
    } else {
        let wide = u128::from(value);
        let half = 1u128 << (drop - 1);
        let (mut kept, rest) = (wide >> drop, wide & ((1u128 << drop) - 1));
        if rest > half || rest == half && kept & 1 == 1 {
            kept += 1;
        }
        (kept as u64, last)
    };
    if top > 1024 {
        return f64::INFINITY;
    }
    // `bits` has at most 53 significant bits, so each step below is exact.
    let half = (exponent / 2) as i32;
    bits as f64 * 2f64.powi(half) * 2f64.powi(exponent as i32 - half)
}

/// Year, month and day of a day since the epoch, in the proleptic Gregorian calendar.
pub fn civil(days: i64) -> (i64, u32, u32) {
    // Days are counted from 0000-03-01 in eras of 400 years, so that leap days end a year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day)
}

/// Appends a day since the epoch as `LocalDate.toString` does: `2024-05-01`, years of less than
/// four digits padded, of more with a sign.
pub fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = civil(days);
    let _ = match year {
        0..=9999 => write!(out, "{year:04}"),
        10_000.. => write!(out, "+{year}"),
        _ => write!(out, "-{:04}", -year),
    };
    let _ = write!(out, "-{month:02}-{day:02}");
}

/// Appends milliseconds of the day as the API shows a TIME: `10:20:30`, `10:20` when the seconds
/// are 0; a part of a second is dropped (spec/api.md §6).
pub fn write_time(ms: i64, out: &mut String) {
    let seconds = ms.div_euclid(1000);
    let _ = write!(out, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 != 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
}

/// Appends milliseconds since the epoch as `yyyy-MM-dd'T'HH:mm:ss.SSS` in UTC.
pub fn write_timestamp(ms: i64, out: &mut String) {
    write_date(ms.div_euclid(86_400_000), out);
    let of_day = ms.rem_euclid(86_400_000);
    let _ = write!(
        out,
        "T{:02}:{:02}:{:02}.{:03}",
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1234567.0, "1234567.0"),
            (12345678.0, "1.2345678E7"),
            (1e7, "1.0E7"),
            (1.102101359999993E7, "1.102101359999993E7"),
            (1873.4099999999999, "1873.4099999999999"),
            (333.12, "333.12"),
            (-1.5e-10, "-1.5E-10"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "4.9E-324"),
            // Java 17 prints more digits than are needed of these.
            (4_611_686_018_427_387_904.0, "4.6116860184273879E18"),
            (160_978_210_179_491_616.0, "1.60978210179491616E17"),
            (1_844_674_407_370_955_161.0, "1.84467440737095526E18"),
            (9_223_372_036_854_775_807.0, "9.223372036854776E18"),
            (
                f64::from_bits(0x0100_0000_0000_0000),
                "7.2911220195563975E-304",
            ),
            (f64::from_bits(0x80), "6.32E-322"),
            (9_007_199_254_740_992.0, "9.007199254740992E15"),
            (1.0 / 1024.0, "9.765625E-4"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (1e16, "1.0E16"),
            (2e23, "1.9999999999999998E23"),
            (9.7453140114e288, "9.745314011399999E288"),
            (123456.789, "123456.789"),
            (0.012, "0.012"),
            (123.4, "123.4"),
            (123.45, "123.45"),
            (0.05, "0.05"),
            (9999999.99, "9999999.99"),
            (9999999.999, "9999999.999"),
            (-0.5, "-0.5"),
            (0.30000000000000004, "0.30000000000000004"),
            (-1.844_674_407_370_955_3e18, "-1.84467440737095526E18"),
            (-4.611_686_018_427_388e18, "-4.6116860184273879E18"),
            (1.609_782_101_794_916_2e17, "1.60978210179491616E17"),
            (7.291_122_019_556_398e-304, "7.2911220195563975E-304"),
            (5.684_341_886_080_802e-14, "5.6843418860808015E-14"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (1e23, "9.999999999999999E22"),
            (1e18, "1.0E18"),
            (333.333_333_333_333_3, "333.3333333333333"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let expected = text;
            assert_eq!(double_to_string(value), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_doubles_read_back(value in any::<i64>()) {
            let value = value as f64;
            prop_assert_eq!(double_to_string(value).parse::<f64>().unwrap(), value);
        }
    }

    #[test]
    fn decimals() {
        let plain = |u: &str, s| {
            let mut out = String::new();
            write_decimal(u, s, &mut out);
            out
        };
        assert_eq!(plain("1230", 2), "12.30");
        assert_eq!(plain("1", 8), "1E-8");
        assert_eq!(plain("0", 8), "0E-8");
        assert_eq!(plain("-12", 9), "-1.2E-8");
        assert_eq!(plain("0", 2), "0.00");
    }

    #[test]
    fn dates_and_times() {
        let date = |days| {
            let mut out = String::new();
            write_date(days, &mut out);
            out
        };
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(19_844), "2024-05-01");
        assert_eq!(date(-719_529), "-0001-12-31");
        assert_eq!(date(2_932_897), "+10000-01-01");
        let mut out = String::new();
        write_timestamp(-1, &mut out);
        assert_eq!(out, "1969-12-31T23:59:59.999");
        out.clear();
        write_time(36_000_999, &mut out);
        assert_eq!(out, "10:00");
    }

    #[test]
    fn reads_doubles_as_java() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            (" 2 ", Some(2.0)),
            ("1e3", Some(1000.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-1.5d", Some(-1.5)),
            ("+1F", Some(1.0)),
            ("Infinity", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e400", Some(f64::INFINITY)),
            ("0x1.8p3", Some(12.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x0.8p-1074", Some(0.0)),
            ("0x1.8p-1074", Some(1e-323)),
            ("0x1p2000", Some(f64::INFINITY)),
            ("0x1p-2000", Some(0.0)),
            ("0x1p99999999999999999999", Some(f64::INFINITY)),
            ("0x1p+-1", None),
            ("-0x.1p4", Some(-1.0)),
            ("infinity", None),
            ("inf", None),
            ("nan", None),
            ("", None),
            (" ", None),
            ("+", None),
            ("--1", None),
            ("1,5", None),
            ("1_000", None),
            ("0x1", None),
            ("0xp1", None),
            ("d", None),
            ("x", None),
        ] {
            assert_eq!(parse_double(text), expected, "{text:?}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits in any::<u64>(), cents in -1_000_000_000i64..1_000_000_000) {
            for value in [f64::from_bits(bits), cents as f64 / 100.0, cents as f64 / 1000.0] {
                let text = double_to_string(value);
                if value.is_nan() {
                    prop_assert_eq!(text, "NaN");
                } else {
                    prop_assert_eq!(parse_double(&text), Some(value), "{}", text);
                }
            }
        }

        #[test]
        fn the_short_way_prints_the_shortest_digits(cents in 0u64..1_000_000_000) {
            let value = cents as f64 / 100.0;
            let (mut short, mut general) = (String::new(), String::new());
            write_double(value, &mut short);
            if value > 0.0 {
                write_positive(value, &mut general);
                prop_assert_eq!(short, general);
            }
        }
    }
}
