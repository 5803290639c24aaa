//! Numbers as Java prints them.

use std::fmt::Write;

/// Appends `value` as Java's `Double.toString` prints it: `1.0`, `1.0E7`, `1.0E-4`, `NaN`,
/// `-Infinity` (spec/formats.md §1.9). Shortest digits that read back as the same double.
pub fn write_double(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value < 0.0 { "-Infinity" } else { "Infinity" });
        return;
    }
    if value == 0.0 {
        out.push_str(if value.is_sign_negative() {
            "-0.0"
        } else {
            "0.0"
        });
        return;
    }
    if value < 0.0 {
        out.push('-');
    }
    // ryu prints d.ddde±n or plain; digits and exponent are taken from it and laid out anew.
    let mut buffer = ryu::Buffer::new();
    let two_digits;
    let mut text = buffer.format_finite(value.abs());
    if value.abs() < 1e-320 {
        // Java prints at least two digits and takes the nearest such number: 4.9E-324.
        two_digits = format!("{:.1e}", value.abs());
        if text.len() < two_digits.len() && two_digits.parse() == Ok(value.abs()) {
            text = &two_digits;
        }
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [0u8; 32];
    let mut count = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        digits[count] = byte;
        count += 1;
    }
    let leading = digits[..count]
        .iter()
        .take_while(|d| **d == b'0')
        .count()
        .min(count - 1);
    // Decimal exponent of the first significant digit.
    let first = whole.len() as i32 - 1 - leading as i32 + exponent;
    let mut end = count;
    while end > leading + 1 && digits[end - 1] == b'0' {
        end -= 1;
    }
    let significant = &digits[leading..end];
    let push = |out: &mut String, part: &[u8]| part.iter().for_each(|d| out.push(char::from(*d)));
    if (-3..7).contains(&first) {
        if first < 0 {
            out.push_str("0.");
            (first + 1..0).for_each(|_| out.push('0'));
            push(out, significant);
        } else {
            let split = (first + 1) as usize;
            if significant.len() <= split {
                push(out, significant);
                (significant.len()..split).for_each(|_| out.push('0'));
                out.push_str(".0");
            } else {
                push(out, &significant[..split]);
                out.push('.');
                push(out, &significant[split..]);
            }
        }
    } else {
        push(out, &significant[..1]);
        out.push('.');
        if significant.len() > 1 {
            push(out, &significant[1..]);
        } else {
            out.push('0');
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "E{first}");
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
pub fn write_decimal_plain(unscaled: &str, scale: u32, out: &mut String) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", unscaled),
    };
    out.push_str(sign);
    let scale = scale as usize;
    if scale == 0 {
        out.push_str(digits);
    } else if digits.len() > scale {
        out.push_str(&digits[..digits.len() - scale]);
        out.push('.');
        out.push_str(&digits[digits.len() - scale..]);
    } else {
        out.push_str("0.");
        (digits.len()..scale).for_each(|_| out.push('0'));
        out.push_str(digits);
    }
}

/// Appends an unscaled decimal at `scale` the way `BigDecimal.toString` does: plain unless the
/// adjusted exponent is below -6 (`1E-8`, `0E-8`).
pub fn write_decimal(unscaled: &str, scale: u32, out: &mut String) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", unscaled),
    };
    let adjusted = digits.len() as i64 - 1 - i64::from(scale);
    if scale == 0 || adjusted >= -6 {
        write_decimal_plain(unscaled, scale, out);
        return;
    }
    out.push_str(sign);
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let _ = write!(out, "E{adjusted}");
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (1e16, "1.0E16"),
            (123456.789, "123456.789"),
            (0.012, "0.012"),
        ] {
            let expected = text;
            assert_eq!(double_to_string(value), expected, "{value:?}");
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
}
